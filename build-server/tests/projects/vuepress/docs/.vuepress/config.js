import { viteBundler } from "@vuepress/bundler-vite";
import { defaultTheme } from "@vuepress/theme-default";

export default { title: "Hello from vuepress", bundler: viteBundler(), theme: defaultTheme() };
