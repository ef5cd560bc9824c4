//! What a build finds in its environment about its deployment.

use gitdeploy_test::git::Repository;

use crate::harness::Builder;

#[tokio::test]
async fn a_build_is_told_where_it_will_be_and_so_are_its_pages() {
    let builder = Builder::new().await;
    let repository = Repository::new()
        .file("package.json", r#"{"devDependencies":{"vite":"8"}}"#)
        .file("gitdeploy.toml", "[build]\nvariables_of = [\"cloudflare-pages\"]")
        .commit("Add a site");
    let url = "https://06gzr1vtp7njn36zcgxy.example.org/";
    let vars = [
        ("DEPLOYMENT_URL", url),
        ("GITDEPLOY_BUILD_INSTALL", "true"),
        ("GITDEPLOY_BUILD_COMMAND", "mkdir dist; env > dist/index.html"),
        ("GITDEPLOY_BUILD_PASS", "GITDEPLOY_URL,CF_PAGES_URL"),
        ("GITDEPLOY_URL", "https://somewhere.example.org/"),
        ("CF_PAGES_URL", "https://somewhere.example.org/"),
    ];
    let built = builder.build(&repository, &vars).await;
    built.assert_ready();
    let page = builder.published("index.html").unwrap();
    let commit = repository.commit_id("HEAD");
    for line in [
        format!("GITDEPLOY_URL={url}"),
        format!("VITE_GITDEPLOY_URL={url}"),
        format!("VITE_GITDEPLOY_GIT_COMMIT_SHA={commit}"),
        "VITE_GITDEPLOY_GIT_COMMIT_REF=main".to_owned(),
        format!("CF_PAGES_COMMIT_SHA={commit}"),
        format!("CF_PAGES_URL={url}"),
        "CI=1".to_owned(),
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    assert!(!page.contains("somewhere.example.org"), "{page}");
}
