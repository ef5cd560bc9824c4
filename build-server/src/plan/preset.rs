//! Where well-known site generators put their output.

use super::package::Package;

/// A site generator.
#[derive(Debug)]
pub(super) struct Preset {
    /// The package that tells it is used.
    pub(super) dependency: &'static str,
    pub(super) name: &'static str,
    /// Its output directory, relative to the project's.
    pub(super) output: &'static str,
}

/// The first that a package needs counts: those that build on Vite stand before it.
const PRESETS: &[Preset] = &[
    preset("astro", "Astro", "dist"),
    preset("vitepress", "VitePress", ".vitepress/dist"),
    preset("@docusaurus/core", "Docusaurus", "build"),
    preset("@11ty/eleventy", "Eleventy", "_site"),
    preset("gatsby", "Gatsby", "public"),
    preset("next", "Next.js", "out"),
    preset("nuxt", "Nuxt", ".output/public"),
    preset("@sveltejs/kit", "SvelteKit", "build"),
    preset("hexo", "Hexo", "public"),
    preset("react-scripts", "Create React App", "build"),
    preset("@vue/cli-service", "Vue CLI", "dist"),
    preset("parcel", "Parcel", "dist"),
    preset("vite", "Vite", "dist"),
];

const fn preset(dependency: &'static str, name: &'static str, output: &'static str) -> Preset {
    Preset { dependency, name, output }
}

/// The site generator that a package needs.
pub(super) fn find(package: &Package) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| package.needs(preset.dependency))
}
