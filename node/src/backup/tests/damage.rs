//! Backups that are not whole, and directories that are not empty.

use super::*;
use crate::config::CLUSTER_FILE;

/// Paths and contents.
type Files = Vec<(String, Vec<u8>)>;

struct Copied {
    home: Home,
    name: BackupName,
}

impl Copied {
    async fn new() -> Self {
        let home = Home::new();
        let (running, made) = backed_up(&home, 20).await;
        running.stop().await.unwrap();
        Self { name: BackupName::parse(&made.name).unwrap(), home }
    }

    fn archive(&self) -> PathBuf {
        self.home.path("backups").join(self.name.archive())
    }

    fn manifest(&self) -> Manifest {
        let bytes = std::fs::read(self.home.path("backups").join(self.name.manifest())).unwrap();
        Manifest::read(&self.name, &bytes).unwrap()
    }

    fn verify(&self) -> Result<Manifest, CatalogError> {
        verify(&self.home.shelf(), &self.name, &Progress::default())
    }

    /// Both ways to read it refuse; the reason is the same, and no data directory is left.
    fn refused(&self) -> String {
        let said = self.verify().unwrap_err().to_string();
        let restored = self.home.restore(self.name.as_str(), "restored").unwrap_err();
        assert_eq!(restored.to_string(), said);
        assert!(!self.home.path("restored/store").exists());
        said
    }

    /// Puts other files, made of the same by `change`, in the place of the archive's.
    fn repack(&self, change: impl FnOnce(&mut Files)) {
        let packed = std::fs::read(self.archive()).unwrap();
        let plain = zstd::stream::decode_all(&packed[..]).unwrap();
        let mut archive = tar::Archive::new(&plain[..]);
        let mut files = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            let path = String::from_utf8(entry.path_bytes().to_vec()).unwrap();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            files.push((path, bytes));
        }
        change(&mut files);
        let mut builder = tar::Builder::new(Vec::new());
        for (path, bytes) in &files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            builder.append_data(&mut header, path, &bytes[..]).unwrap();
        }
        let plain = builder.into_inner().unwrap();
        std::fs::write(self.archive(), zstd::encode_all(&plain[..], 1).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_whole_backup_is_verified() {
    let copied = Copied::new().await;
    assert_eq!(copied.verify().unwrap(), copied.manifest());
}

#[tokio::test]
async fn a_flipped_byte_anywhere_in_the_data_is_noticed() {
    let copied = Copied::new().await;
    let whole = std::fs::read(copied.archive()).unwrap();
    let step = (whole.len() / 60).max(1);
    for at in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
        flip(&copied.archive(), at);
        let said = copied.verify().unwrap_err().to_string();
        assert!(said.contains("damaged"), "byte {at}: {said}");
        std::fs::write(copied.archive(), &whole).unwrap();
    }
    copied.verify().unwrap();
}

#[tokio::test]
async fn a_flipped_byte_in_each_file_names_that_file() {
    let copied = Copied::new().await;
    let whole = std::fs::read(copied.archive()).unwrap();
    for (at, file) in copied.manifest().files.iter().enumerate().filter(|(_, file)| file.size > 0) {
        copied.repack(|files| files[at].1[0] ^= 1);
        let said = copied.refused();
        assert!(said.contains(&format!("{} in its archive is damaged", file.name)), "{said}");
        std::fs::write(copied.archive(), &whole).unwrap();
    }
}

#[tokio::test]
async fn files_that_are_missing_added_or_elsewhere_are_named() {
    let copied = Copied::new().await;
    let whole = std::fs::read(copied.archive()).unwrap();
    let refused = |change: &dyn Fn(&mut Files)| {
        copied.repack(|files| change(files));
        let said = copied.refused();
        std::fs::write(copied.archive(), &whole).unwrap();
        said
    };
    let last = copied.manifest().files.last().unwrap().name.clone();
    let said = refused(&|files| drop(files.pop()));
    assert!(said.contains(&last) && said.contains("missing"), "{said}");
    let said = refused(&|files| files.push(("store/more".into(), b"x".to_vec())));
    assert!(said.contains("more files"), "{said}");
    let said = refused(&|files| files[0].0 = "store/x".into());
    assert!(said.contains("is in its place"), "{said}");
    let said = refused(&|files| files[0].1.push(0));
    assert!(said.contains("in the manifest"), "{said}");
    let said = refused(&|_| {});
    assert!(said.contains("length or hash"), "packed anew: {said}");
}

#[tokio::test]
async fn a_truncated_backup_is_refused_and_listed_as_damaged() {
    let copied = Copied::new().await;
    let whole = std::fs::read(copied.archive()).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        std::fs::write(copied.archive(), &whole[..length]).unwrap();
        assert!(copied.refused().contains("damaged"), "{length}");
        let found = find(&copied.home.shelf()).unwrap();
        assert!(found[0].view().damaged.unwrap().contains("bytes of"), "{length}");
    }
    std::fs::write(copied.archive(), [&whole[..], b"x"].concat()).unwrap();
    assert!(copied.refused().contains("damaged"));
    std::fs::remove_file(copied.archive()).unwrap();
    assert!(copied.refused().contains("there is no"));
}

#[tokio::test]
async fn a_damaged_manifest_is_refused_and_half_a_backup_is_none() {
    let copied = Copied::new().await;
    let manifest = copied.home.path("backups").join(copied.name.manifest());
    flip(&manifest, 200);
    assert!(copied.refused().contains("manifest is damaged"));
    assert!(find(&copied.home.shelf()).unwrap()[0].view().damaged.is_some());
    std::fs::remove_file(manifest).unwrap();
    assert!(copied.refused().contains("there is no"));
    assert!(find(&copied.home.shelf()).unwrap().is_empty());
}

#[tokio::test]
async fn a_manifest_that_lies_about_the_records_is_found_out() {
    let copied = Copied::new().await;
    let manifest = Manifest { records: 7, ..copied.manifest() };
    let path = copied.home.path("backups").join(copied.name.manifest());
    std::fs::write(path, manifest.to_bytes().unwrap()).unwrap();
    let error = copied.home.restore(copied.name.as_str(), "restored").unwrap_err();
    assert!(matches!(error, RestoreError::Content { records: 7, .. }), "{error}");
    assert!(!copied.home.path("restored/store").exists());
}

#[tokio::test]
async fn only_an_empty_directory_is_restored_into() {
    let copied = Copied::new().await;
    std::fs::create_dir(copied.home.path("full")).unwrap();
    std::fs::write(copied.home.path("full/file"), "").unwrap();
    let said = copied.home.restore(copied.name.as_str(), "full").unwrap_err().to_string();
    assert!(said.contains("has file in it") && said.contains("empty"), "{said}");
    let said = copied.home.restore(copied.name.as_str(), "data").unwrap_err().to_string();
    assert!(said.contains("in it"), "{said}");
}

#[tokio::test]
async fn a_restore_that_is_asked_for_again_is_done_until_a_node_runs_on_it() {
    let copied = Copied::new().await;
    let restore = || copied.home.restore(copied.name.as_str(), "restored");
    let once = restore().unwrap();
    let again = restore().unwrap();
    assert_eq!((again.node, again.cluster, again.records), (once.node, once.cluster, once.records));
    assert!(once.new_cluster && again.new_cluster);
    let settings = copied.home.settings("restored");
    let other = ClusterFile::new([1; 16], [2; 32], [3; 32]);
    let said = copied.home.restore_as(copied.name.as_str(), "restored", Some(other)).unwrap_err();
    assert!(matches!(said, RestoreError::OtherFile { .. }), "{said}");
    Running::start(settings, copied.home.clock.clone()).unwrap().stop().await.unwrap();
    let said = restore().unwrap_err();
    assert!(matches!(said, RestoreError::NotEmpty { .. }), "{said}");
}

#[tokio::test]
async fn a_directory_whose_restore_broke_off_starts_no_node_and_can_be_restored_into_again() {
    let copied = Copied::new().await;
    let half = copied.home.path("half");
    std::fs::create_dir_all(half.join(RESTORING).join("store")).unwrap();
    std::fs::write(half.join(RESTORING).join("store/CURRENT"), "half").unwrap();
    let settings = copied.home.settings("half");
    let said = Running::start(settings.clone(), copied.home.clock.clone()).unwrap_err().to_string();
    assert!(said.contains("broken off"), "{said}");
    copied.home.restore(copied.name.as_str(), "half").unwrap();
    assert!(!half.join(RESTORING).exists());
    Running::start(settings, copied.home.clock.clone()).unwrap().stop().await.unwrap();
}

/// A directory that was restored into, as it was when the steps from this one on were still to come.
async fn left_before(moved: &[&str]) -> (Copied, PathBuf) {
    let copied = Copied::new().await;
    copied.home.restore(copied.name.as_str(), "half").unwrap();
    let half = copied.home.path("half");
    std::fs::create_dir(half.join(RESTORING)).unwrap();
    for name in moved {
        std::fs::rename(half.join(name), half.join(RESTORING).join(name)).unwrap();
    }
    (copied, half)
}

#[tokio::test]
async fn a_restore_that_broke_off_in_its_last_steps_can_be_begun_again() {
    let all = ["store", "restored", CLUSTER_FILE];
    for moved in [&all[..], &all[1..], &all[2..]] {
        let (copied, half) = left_before(moved).await;
        let settings = copied.home.settings("half");
        let start = || Running::start(settings.clone(), copied.home.clock.clone());
        let said = start().unwrap_err().to_string();
        assert!(said.contains("broken off"), "{moved:?}: {said}");
        copied.home.restore(copied.name.as_str(), "half").unwrap();
        assert!(!half.join(RESTORING).exists(), "{moved:?}");
        start().unwrap().stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_node_whose_cluster_file_is_gone_makes_itself_no_other() {
    let (copied, half) = left_before(&[]).await;
    let of = || ClusterFile::load(&half.join(CLUSTER_FILE)).unwrap().cluster().to_string();
    let before = of();
    std::fs::rename(half.join(CLUSTER_FILE), copied.home.path("kept")).unwrap();
    let settings =
        kvs_config::Settings { clustering_enabled: true, ..copied.home.settings("half") };
    let start = || Running::start(settings.clone(), copied.home.clock.clone());
    let said = start().unwrap_err().to_string();
    assert!(said.contains(&before) && said.contains("is gone: put it back"), "{said}");
    std::fs::rename(copied.home.path("kept"), half.join(CLUSTER_FILE)).unwrap();
    start().unwrap().stop().await.unwrap();
    assert_eq!(of(), before);
}

#[tokio::test]
async fn a_restore_that_broke_off_behind_its_last_step_is_one_that_came_to_its_end() {
    let (copied, half) = left_before(&[]).await;
    copied.home.restore(copied.name.as_str(), "half").unwrap();
    assert!(!half.join(RESTORING).exists());
    let settings = copied.home.settings("half");
    Running::start(settings, copied.home.clock.clone()).unwrap().stop().await.unwrap();
}
