const HtmlPlugin = require("html-webpack-plugin");

module.exports = { plugins: [new HtmlPlugin({ title: "Hello from webpack" })] };
