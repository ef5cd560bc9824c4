//! What an author says about serving: it gets into the manifest, and what is wrong in it into the log.

use gitdeploy_core::manifest::Caching;
use gitdeploy_core::rules::Dialect;

use crate::harness::Builder;

#[tokio::test]
async fn rules_are_in_the_manifest_and_their_problems_in_the_log() {
    let builder = Builder::new().await;
    let script = r"mkdir -p dist/assets
echo hi > dist/index.html
echo x > dist/assets/index-4f3a2b1c.js
echo y > dist/assets/plain.js
printf '/old/* /new/:splat\n/broken\n' > dist/_redirects
printf '/*\n  X-Robots-Tag: noindex\n  Content-Length: 7\n' > dist/_headers
printf '[serve]\nredirects = \x22netlify\x22\n' > gitdeploy.toml";
    let built = builder.build_script(script, &[]).await;
    built.assert_ready();
    let manifest = builder.manifest().unwrap();

    let rules = &manifest.rules;
    assert_eq!(rules.serve.redirects, Dialect::Netlify);
    assert_eq!((rules.redirects[0].from.as_str(), rules.redirects[0].status), ("/old/*", 301));
    assert_eq!(rules.headers[0].set[0].0, "x-robots-tag");
    let problems = [
        "`_redirects`, line 2: the target is missing: write `/broken /target`",
        "`_headers`, line 3: the header `Content-Length` belongs to the server",
    ];
    assert_eq!(rules.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), problems);
    assert!(problems.iter().all(|problem| built.notices().contains(problem)), "{:?}", built.notices());

    let caching = manifest.files.iter().map(|(path, file)| (path.as_str(), file.cache));
    assert_eq!(
        caching.collect::<Vec<_>>(),
        [
            ("assets/index-4f3a2b1c.js", Caching::Immutable),
            ("assets/plain.js", Caching::Revalidate),
            ("index.html", Caching::Revalidate),
        ]
    );
    assert_eq!(builder.published("_redirects"), None);

    // The same site again, in place and without anything to upload, keeps what is known about its names.
    builder.build_script(script, &[]).await.assert_ready();
    assert_eq!(builder.manifest().unwrap().files["assets/index-4f3a2b1c.js"].cache, Caching::Immutable);
}
