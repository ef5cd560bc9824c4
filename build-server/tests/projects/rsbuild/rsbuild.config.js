module.exports = { html: { title: "Hello from rsbuild" } };
