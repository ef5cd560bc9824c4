use gitdeploy_core::hash::Sha256;
use tokio::task::JoinSet;
use upload_service::Catalog;

use crate::support::at;

pub(crate) async fn a_code_is_used_once(catalog: Catalog) {
    let (code, late) = (Sha256::of(b"code"), Sha256::of(b"late"));
    catalog.add_code(code, at(0), at(600_000)).await.unwrap();
    catalog.add_code(late, at(0), at(600_000)).await.unwrap();
    assert!(!catalog.use_code(Sha256::of(b"guess"), at(1)).await.unwrap());
    assert!(!catalog.use_code(late, at(600_000)).await.unwrap());
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let catalog = catalog.clone();
        tasks.spawn(async move { catalog.use_code(code, at(599_999)).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|used| *used).count(), 1);
    assert!(!catalog.use_code(code, at(1)).await.unwrap());
}

pub(crate) async fn a_session_lasts_until_it_ends(catalog: Catalog) {
    let (one, other) = (Sha256::of(b"one"), Sha256::of(b"other"));
    for hash in [one, other] {
        catalog.add_session(hash, at(0), at(1000)).await.unwrap();
        assert!(catalog.has_session(hash, at(999)).await.unwrap());
        assert!(!catalog.has_session(hash, at(1000)).await.unwrap());
    }
    catalog.end_session(one).await.unwrap();
    assert!(!catalog.has_session(one, at(1)).await.unwrap());
    assert!(catalog.has_session(other, at(1)).await.unwrap());
    assert!(!catalog.has_session(Sha256::of(b"guess"), at(1)).await.unwrap());
}

pub(crate) async fn a_secret_stays_the_first(catalog: Catalog) {
    assert_eq!(catalog.secret("token").await.unwrap(), None);
    let mut tasks = JoinSet::new();
    for number in 0..32_u8 {
        let catalog = catalog.clone();
        tasks.spawn(async move { catalog.keep_secret("token", vec![number; 40]).await.unwrap() });
    }
    let kept = tasks.join_all().await;
    assert!(kept.iter().all(|sealed| *sealed == kept[0]));
    assert_eq!(catalog.secret("token").await.unwrap().as_ref(), Some(&kept[0]));
    assert_eq!(catalog.keep_secret("other", vec![0, 255]).await.unwrap(), [0, 255]);
    assert_eq!(catalog.secret("token").await.unwrap().as_ref(), Some(&kept[0]));
}
