import { rspack } from "@rspack/core";

export default { plugins: [new rspack.HtmlRspackPlugin({ title: "Hello from rspack" })] };
