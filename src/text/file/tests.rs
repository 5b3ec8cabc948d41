//! A file of somebody's gets another text, or stays as it was.

#![cfg(unix)]

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// The owner and the group of nobody in most systems.
const NOBODY: u32 = 65534;

const QUIET: Manner = Manner { keeps_old: false, makes_private: false };

struct Folder(PathBuf);

impl Folder {
    fn create() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("api-together-text-{}-{nth}", std::process::id()));
        fs::create_dir_all(&folder).expect("creates");
        Folder(fs::canonicalize(folder).expect("there"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("reads").map_while(Result::ok);
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read(path: &Path) -> TextFile {
    TextFile::read(path, 1 << 20).expect("reads")
}

#[test]
fn mode_owner_and_link_stay_and_nothing_is_left_beside() {
    let folder = Folder::create();
    let (path, link) = (folder.0.join("real.json"), folder.0.join("link.json"));
    fs::write(&path, "old").expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("sets");
    symlink("real.json", &link).expect("links");
    // As root alone a file can be given away.
    let is_given = std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).is_ok();
    assert_eq!(read(&link).replace_with("new", QUIET).expect("written"), None);
    let about = fs::metadata(&path).expect("there");
    assert_eq!((fs::read_to_string(&path).expect("reads").as_str(), about.mode() & 0o777), ("new", 0o640));
    assert!(!is_given || (about.uid(), about.gid()) == (NOBODY, NOBODY));
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(folder.names(), ["link.json", "real.json"]);
}

#[test]
fn what_somebody_else_has_saved_is_not_overwritten() {
    let folder = Folder::create();
    let path = folder.0.join("a.json");
    fs::write(&path, "old").expect("writes");
    let old = read(&path);
    fs::write(&path, "theirs").expect("writes");
    assert!(matches!(old.replace_with("mine", Manner { keeps_old: true, ..QUIET }), Err(ReplaceError::Changed)));
    assert_eq!(
        (fs::read_to_string(&path).expect("reads").as_str(), folder.names()),
        ("theirs", vec!["a.json".to_owned()])
    );
    // A link that leads elsewhere is a change as well.
    let link = folder.0.join("link.json");
    symlink("a.json", &link).expect("links");
    let old = read(&link);
    fs::write(folder.0.join("b.json"), "theirs").expect("writes");
    fs::remove_file(&link).expect("removes");
    symlink("b.json", &link).expect("links");
    assert!(matches!(old.replace_with("mine", QUIET), Err(ReplaceError::Changed)));
    let none = read(&folder.0.join("none.json"));
    fs::write(folder.0.join("none.json"), "theirs").expect("writes");
    assert!(matches!(none.replace_with("mine", QUIET), Err(ReplaceError::Changed)));
}

#[test]
fn a_left_draft_goes_and_one_in_use_stays() {
    let folder = Folder::create();
    let path = folder.0.join("a.json");
    fs::write(&path, "old").expect("writes");
    fs::write(folder.0.join(".a.json.new"), "left").expect("writes");
    read(&path).replace_with("new", QUIET).expect("written");
    assert_eq!(folder.names(), ["a.json"]);
    let in_use = File::create(folder.0.join(".a.json.new")).expect("creates");
    in_use.lock().expect("locks");
    assert!(matches!(read(&path).replace_with("newer", QUIET), Err(ReplaceError::Io(_))));
    assert_eq!((fs::read_to_string(&path).expect("reads").as_str(), folder.names().len()), ("new", 2));
    // A program that another test starts may have the lock for a moment, too.
    in_use.unlock().expect("unlocks");
    remove_left_draft(&path);
    assert_eq!(folder.names(), ["a.json"]);
}

#[test]
fn a_config_map_is_read_only() {
    let folder = Folder::create();
    let version = folder.0.join("..2026_11_28_15_00_00.1");
    fs::create_dir(&version).expect("creates");
    fs::write(version.join("a.json"), "old").expect("writes");
    symlink("..2026_11_28_15_00_00.1", folder.0.join("..data")).expect("links");
    symlink("..data/a.json", folder.0.join("a.json")).expect("links");
    let file = read(&folder.0.join("a.json"));
    assert!(matches!(file.replace_with("new", QUIET), Err(ReplaceError::ReadOnly(why)) if why.contains("ConfigMap")));
    assert_eq!(fs::read_to_string(version.join("a.json")).expect("reads"), "old");
}

#[test]
fn a_place_of_a_mount_is_read_as_the_kernel_writes_it() {
    assert_eq!(read_only::unescaped("/a\\040b\\134c"), "/a b\\c");
    // The root of the file system is a mount everywhere with /proc.
    assert_eq!(read_only::is_mounted(Path::new("/")), Path::new("/proc/self/mountinfo").exists());
    assert!(!read_only::is_mounted(&Folder::create().0.join("a.json")));
}

#[test]
fn what_the_system_refuses_for_good_is_read_only() {
    use io::ErrorKind::{AlreadyExists, PermissionDenied, ReadOnlyFilesystem, ResourceBusy, StorageFull};

    for (kind, is_refusal) in [
        (PermissionDenied, true),
        (ReadOnlyFilesystem, true),
        (ResourceBusy, true),
        (StorageFull, false),
        (AlreadyExists, false),
    ] {
        assert_eq!(read_only::is_refusal(&kind.into()), is_refusal, "{kind:?}");
    }
}

#[test]
fn a_backup_is_for_the_owner_alone() {
    let folder = Folder::create();
    let path = folder.0.join("settings.json");
    fs::write(&path, "{}").expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("sets");
    let manner = Manner { keeps_old: true, makes_private: true };
    let backup = read(&path).replace_with("{\"key\": 1}", manner).expect("written").expect("a backup");
    for file in [&backup, &path] {
        let mode = fs::metadata(file).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    assert_eq!(fs::read_to_string(&backup).expect("reads"), "{}");
}

#[test]
fn the_newest_backups_are_kept_and_no_file_of_somebody_else_is_removed() {
    let folder = Folder::create();
    let path = folder.0.join("settings.json");
    let others = ["settings.json.bak", "settings.json.20200101.bak", "x.json.20200101-000000.bak"];
    others.iter().for_each(|name| fs::write(folder.0.join(name), "").expect("writes"));
    fs::write(folder.0.join("settings.json.20200101-000000.bak"), "the oldest").expect("writes");
    let manner = Manner { keeps_old: true, makes_private: true };
    for n in 0..13 {
        fs::write(&path, n.to_string()).expect("writes");
        read(&path).replace_with("new", manner).expect("written");
    }
    let files = fs::read_dir(&folder.0).expect("there").map(|entry| entry.expect("there").path());
    let files = files.filter(|file| !others.iter().any(|other| file.ends_with(other)) && *file != path);
    let mut kept: Vec<String> = files.map(|file| fs::read_to_string(file).expect("reads")).collect();
    kept.sort();
    assert_eq!(kept, ["10", "11", "12", "8", "9"]);
    assert!(others.iter().all(|name| folder.0.join(name).exists()));
}

/// Where the writer of the next test writes.
const WRITER: &str = "API_TOGETHER_TEST_WRITER";

#[test]
#[ignore = "is started and killed by the next test"]
fn the_writer() {
    let Ok(path) = std::env::var(WRITER) else { return };
    for round in 0.. {
        let new = if round % 2 == 0 { "new" } else { "old" }.repeat(300_000);
        read(Path::new(&path)).replace_with(&new, QUIET).expect("written");
    }
}

#[test]
fn a_killed_writer_leaves_a_whole_text() {
    let folder = Folder::create();
    let path = folder.0.join("a.json");
    for round in 0..12 {
        fs::write(&path, "old").expect("writes");
        let mut writer = std::process::Command::new(std::env::current_exe().expect("a program"))
            .args(["--exact", "text::file::tests::the_writer", "--ignored"])
            .env(WRITER, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("starts");
        while fs::read(&path).expect("reads") == b"old" {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_micros(700 * round));
        writer.kill().expect("kills");
        writer.wait().expect("ends");
        let text = fs::read_to_string(&path).expect("reads");
        assert!(["old", "new"].iter().any(|word| text == word.repeat(300_000)), "{} bytes", text.len());
        remove_left_draft(&path);
        assert_eq!(folder.names(), ["a.json"]);
    }
}
