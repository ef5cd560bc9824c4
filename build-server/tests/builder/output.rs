//! Where the site lies after a build.

use gitdeploy_test::git::Repository;

use crate::harness::Builder;

#[tokio::test]
async fn a_found_output_directory_comes_with_the_setting_to_save() {
    let builder = Builder::new().await;
    let site = |script: &str| {
        let package =
            format!(r#"{{"devDependencies":{{"@angular/cli":"20"}},"scripts":{{"build":"{script}"}}}}"#);
        Repository::new()
            .file("package.json", package)
            .file("gitdeploy.toml", "[build]\ninstall = ''")
            .commit("One")
    };
    let nested =
        "mkdir -p dist/app/browser; echo hi > dist/app/browser/index.html; echo no > dist/app/licenses.txt";
    let built = builder.build(&site(nested), &[]).await;
    built.assert_ready();
    assert_eq!(builder.manifest().unwrap().files.len(), 1);
    let told = "write `output = \"dist/app/browser\"` below `[build]` in the project's `gitdeploy.toml`";
    assert!(built.notices().iter().any(|notice| notice.contains(told)), "{:?}", built.notices());

    let elsewhere = "mkdir -p www/site; echo hi > www/site/index.html";
    let built = builder.build(&site(elsewhere), &[]).await;
    built.assert_ready();
    let told = "write `output = \"www/site\"` below `[build]` in the project's `gitdeploy.toml`";
    assert!(built.notices().iter().any(|notice| notice.contains(told)), "{:?}", built.notices());

    // What it says is a setting, and with that there is nothing to say.
    let saved =
        site(elsewhere).file("gitdeploy.toml", "[build]\ninstall = ''\noutput = \"www/site\"").commit("Two");
    let built = builder.build(&saved, &[]).await;
    built.assert_ready();
    assert_eq!(built.notices(), [""; 0]);
}
