const fs = require("node:fs");
const greet = require("greeting");
fs.mkdirSync("dist");
fs.writeFileSync("dist/index.html", greet("bun"));
