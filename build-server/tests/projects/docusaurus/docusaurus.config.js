module.exports = {
  title: "Hello from docusaurus",
  url: "https://docs.example.org",
  baseUrl: "/",
  presets: [["classic", { docs: { routeBasePath: "/" }, blog: false }]],
};
