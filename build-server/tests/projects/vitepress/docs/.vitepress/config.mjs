export default { title: "Hello from vitepress" };
