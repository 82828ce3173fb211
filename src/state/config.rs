//! Options of the portal: flags, environment, `Leptos.toml`.

mod external;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;
use leptos::config::{LeptosOptions, get_configuration};

pub use self::external::{EngineOverrideArgs, HubArgs};
use crate::credentials::Secret;
use crate::engine::EngineOverrides;
use crate::models::HubSettings;
use crate::store::Store;

/// The file that holds the portal's address and the place of its pages, where the program is started.
const LEPTOS_FILE: &str = "Leptos.toml";
const DEFAULT_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3000);

/// Fewest characters of the administrator's token.
const LEAST_ADMIN_TOKEN: usize = 16;

/// What one person's datasets may take where nothing else was said, MB.
const UPLOAD_QUOTA_MB: u64 = 10 << 10;

/// Flags of `dyno serve`; each has an environment variable of the same meaning.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Address and port to listen on [default: what Leptos.toml says, else 127.0.0.1:3000]
    #[arg(long, env = "LEPTOS_SITE_ADDR", value_name = "ADDR:PORT")]
    pub addr: Option<SocketAddr>,
    /// Folder for the database, the key file, run folders, uploads and downloads
    #[arg(long, env = "DYNO_DATA_DIR", value_name = "DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Database; `sqlite://PATH` [default: dyno.db in the data folder]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// A token that acts as the first administrator, for scripts and CI. Better in the environment than on the command line
    #[arg(long, env = "DYNO_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub admin_token: Option<Secret>,
    /// Folders below which users may name model files, separated by colons [default: the data folder, and the home of the
    /// portal's user while there is a single user]
    #[arg(long, env = "DYNO_MODEL_ROOTS", value_name = "DIR:DIR", value_delimiter = ':')]
    pub model_roots: Vec<PathBuf>,
    /// Key for stored secrets: 32 bytes as base64 or hex [default: a key file with mode 0600 in the data folder]. Only in the
    /// environment, since command lines can be read by others
    #[arg(skip)]
    pub secret_key: Option<Secret>,
    /// Folder with the browser's half of the portal (target/site of a build) [default: what Leptos.toml says, else `site`
    /// beside the program or in the folder above]
    #[arg(long, env = "LEPTOS_SITE_ROOT", value_name = "DIR")]
    pub site_root: Option<PathBuf>,
    /// Address that people see, when a proxy with https stands before the portal: https://dyno.example.org
    #[arg(long, env = "DYNO_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Addresses of proxies whose X-Forwarded-For is believed, separated by commas
    #[arg(long, env = "DYNO_TRUSTED_PROXIES", value_name = "IP,IP", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpAddr>,
    /// Address and port that /metrics is on, for Prometheus: without sign-in, so not where everybody gets [default: nowhere]
    #[arg(long, env = "DYNO_METRICS_ADDR", value_name = "ADDR:PORT")]
    pub metrics_addr: Option<SocketAddr>,
    /// How much one person's datasets may take on the disk [default: 10240]
    #[arg(long, env = "DYNO_UPLOAD_QUOTA_MB", value_name = "MB")]
    pub upload_quota_mb: Option<u64>,
    /// Let every user name addresses on this machine (model tests, load) [default: only while there is a single user]
    #[arg(long, env = "DYNO_ALLOW_LOOPBACK", value_parser = FalseyValueParser::new())]
    pub allow_loopback: bool,
    /// Dyno's own container image, with its tag: of it are the pods made that put load on Kubernetes clusters
    #[arg(long, env = "DYNO_IMAGE", value_name = "IMAGE")]
    pub image: Option<String>,
    /// Use the proxies that HTTP_PROXY and HTTPS_PROXY name for requests to providers
    #[arg(long, env = "DYNO_SYSTEM_PROXY", value_parser = FalseyValueParser::new())]
    pub system_proxy: bool,
    /// Form of the log on standard error: text or json [default: text]
    #[arg(long, env = "DYNO_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
    #[command(flatten)]
    pub engines: EngineOverrideArgs,
    #[command(flatten)]
    pub hub: HubArgs,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `Leptos.toml` is there but not readable.
    #[error("{LEPTOS_FILE}: {0}")]
    LeptosFile(String),
    /// The public address is not one.
    #[error("the public URL {0} must be https://HOST or, on this machine only, http://localhost:PORT, without a path")]
    PublicUrl(String),
    /// The administrator's token could be guessed.
    #[error("DYNO_ADMIN_TOKEN must have at least {LEAST_ADMIN_TOKEN} characters; `openssl rand -hex 32` makes one")]
    ShortToken,
    /// A folder can't be made or found.
    #[error("{0}: {1}")]
    Folder(PathBuf, #[source] std::io::Error),
}

/// The address that people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Scheme, host and port, without a slash at the end.
    pub origin: String,
    /// Host, with the port unless it is the scheme's own: as browsers write it in `Host`.
    pub authority: String,
    /// Whether it is https.
    pub https: bool,
}

/// The configuration in force.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the portal listens.
    pub site_addr: SocketAddr,
    /// Folder of everything that is kept, absolute.
    pub data_dir: PathBuf,
    pub database_url: String,
    /// A token of the first administrator.
    pub admin_token: Option<Secret>,
    /// Folders below which users may name files; empty: the default of [`ServeArgs::model_roots`].
    pub model_roots: Vec<PathBuf>,
    /// The program itself, for `dyno keeper` and `dyno load`.
    pub program: PathBuf,
    /// Key for stored secrets; absent: the key file.
    pub secret_key: Option<Secret>,
    /// The browser's half of the portal.
    pub site_root: PathBuf,
    /// The address that people see, when it differs from `site_addr`.
    pub public_url: Option<PublicUrl>,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Where `/metrics` is; absent: nowhere.
    pub metrics_addr: Option<SocketAddr>,
    /// Most bytes of one person's datasets.
    pub upload_quota: u64,
    /// Loopback addresses for every user.
    pub allow_loopback: bool,
    /// Dyno's own container image.
    pub image: Option<String>,
    /// Proxies of the environment for outgoing requests.
    pub system_proxy: bool,
    pub engines: EngineOverrides,
    pub hub: HubSettings,
}

impl Config {
    /// The configuration that flags, environment and `Leptos.toml` make together, and what Leptos needs of it.
    pub fn from_args(args: ServeArgs) -> Result<(Self, LeptosOptions), ConfigError> {
        let file = leptos_file(Path::new(LEPTOS_FILE))?;
        let site_addr = args.addr.or(file.as_ref().map(|file| file.site_addr)).unwrap_or(DEFAULT_ADDR);
        let program = std::env::current_exe().map_err(|error| ConfigError::Folder("the program".into(), error))?;
        let from_file = file.as_ref().map(|file| PathBuf::from(file.site_root.as_ref()));
        let site_root = args.site_root.unwrap_or_else(|| site_root(from_file, &program));
        let data_dir = private_folder(&args.data_dir)?;
        let secret_key = args.secret_key.or_else(|| std::env::var("DYNO_SECRET_KEY").ok().map(Secret::new));
        let config = Self {
            site_addr,
            database_url: args.database_url.filter(|url| !url.is_empty()).unwrap_or_else(|| Store::default_url(&data_dir)),
            data_dir,
            admin_token: args.admin_token.filter(|token| !token.is_empty()).map(long_enough).transpose()?,
            model_roots: args.model_roots.into_iter().filter(|root| !root.as_os_str().is_empty()).collect(),
            program,
            secret_key: secret_key.filter(|key| !key.is_empty()),
            site_root,
            public_url: args.public_url.as_deref().filter(|url| !url.is_empty()).map(public_url).transpose()?,
            trusted_proxies: args.trusted_proxies,
            metrics_addr: args.metrics_addr,
            upload_quota: args.upload_quota_mb.unwrap_or(UPLOAD_QUOTA_MB).saturating_mul(1 << 20),
            allow_loopback: args.allow_loopback,
            image: args.image.filter(|image| !image.is_empty()),
            system_proxy: args.system_proxy,
            engines: args.engines.overrides(),
            hub: args.hub.settings(),
        };
        let options = config.leptos_options(file);
        Ok((config, options))
    }

    fn leptos_options(&self, file: Option<LeptosOptions>) -> LeptosOptions {
        let mut options = file.unwrap_or_else(|| LeptosOptions::builder().output_name("dyno").build());
        options.site_addr = self.site_addr;
        options.site_root = self.site_root.display().to_string().into();
        if let Some(program) = browser_program(&self.site_root.join(&*options.site_pkg_dir), "pages") {
            options.output_name = program.into();
        }
        options
    }

    /// Where the portal is found, for links in texts: no slash at the end.
    pub fn base_url(&self) -> String {
        match &self.public_url {
            Some(public) => public.origin.clone(),
            None if self.site_addr.ip().is_unspecified() => format!("http://127.0.0.1:{}", self.site_addr.port()),
            None => format!("http://{}", self.site_addr),
        }
    }
}

/// What the files of one of the browser's programs are called, with the hash of what is in them: `scripts/build.sh` writes it
/// down.
pub fn browser_program(folder: &Path, which: &str) -> Option<String> {
    let names = std::fs::read_to_string(folder.join("names.txt")).ok()?;
    names.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(' ').map(str::to_owned))
}

/// A token that can't be guessed; a shorter one would open everything to whoever tries.
fn long_enough(token: Secret) -> Result<Secret, ConfigError> {
    if token.expose().chars().count() < LEAST_ADMIN_TOKEN { Err(ConfigError::ShortToken) } else { Ok(token) }
}

/// What `Leptos.toml` says (with `LEPTOS_*` of the environment over it), if it is there.
fn leptos_file(path: &Path) -> Result<Option<LeptosOptions>, ConfigError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = path.to_str().ok_or_else(|| ConfigError::LeptosFile("its path is not text".to_owned()))?;
    get_configuration(Some(text))
        .map(|file| Some(file.leptos_options))
        .map_err(|error| ConfigError::LeptosFile(error.to_string()))
}

/// The first of these that is there: what the file says, `site` beside the program, `site` in the folder above (as builds
/// lay it out: target/release/dyno and target/site).
fn site_root(from_file: Option<PathBuf>, program: &Path) -> PathBuf {
    let beside = program.parent().map(|folder| folder.join("site"));
    let above = program.parent().and_then(Path::parent).map(|folder| folder.join("site"));
    let named = from_file.clone().unwrap_or_else(|| PathBuf::from("target/site"));
    from_file.into_iter().chain(beside).chain(above).find(|folder| folder.is_dir()).unwrap_or(named)
}

/// Makes the folder if need be, readable by its owner only, and answers its absolute path. One that is open to others is closed
/// if it is empty or a portal's; of another, which others may have to reach, it is said.
fn private_folder(folder: &Path) -> Result<PathBuf, ConfigError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let failed = |error| ConfigError::Folder(folder.to_owned(), error);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    let mode = folder.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let is_own = std::fs::read_dir(&folder).map_err(failed)?.flatten().all(|entry| is_a_portals(&entry.file_name()));
        let closed = is_own && std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).is_ok();
        if closed {
            tracing::warn!(folder = %folder.display(), mode = format!("{mode:o}"), "closed the data folder, which others could read");
        } else {
            tracing::warn!(
                folder = %folder.display(), mode = format!("{mode:o}"),
                "others can look into the data folder, which holds more than the portal's files: `chmod 700` closes it"
            );
        }
    }
    Ok(folder)
}

/// Whether the portal, or somebody for it, puts something of this name into its data folder.
fn is_a_portals(name: &std::ffi::OsStr) -> bool {
    const NAMES: [&str; 15] = [
        "backups",
        "datasets",
        "dyno.db",
        "dyno.db-shm",
        "dyno.db-wal",
        "dyno.room",
        "engines",
        "models",
        "portal.id",
        "portal.lock",
        "runs",
        "secret.key",
        "self-check",
        "try-it",
        "uploads",
    ];
    name.to_str().is_some_and(|name| NAMES.contains(&name))
}

/// Whether a host (without port) is this machine by name or address.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Reads the public address. Plain http is for this machine only: a cookie would travel in the clear.
fn public_url(text: &str) -> Result<PublicUrl, ConfigError> {
    let wrong = || ConfigError::PublicUrl(text.to_owned());
    let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
    let host = url.host_str().ok_or_else(wrong)?;
    let https = url.scheme() == "https";
    let plain_but_local = url.scheme() == "http" && is_loopback(host);
    let only_origin = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !(https || plain_but_local) || !only_origin {
        return Err(wrong());
    }
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok(PublicUrl { origin: format!("{}://{authority}", url.scheme()), authority, https })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_are_https_or_of_this_machine() {
        let url = public_url("https://Dyno.example.org/").unwrap();
        assert_eq!(
            (url.origin.as_str(), url.authority.as_str(), url.https),
            ("https://dyno.example.org", "dyno.example.org", true)
        );
        assert_eq!(public_url("https://dyno.example.org:8443").unwrap().authority, "dyno.example.org:8443");
        assert!(!public_url("http://localhost:3000").unwrap().https);
        for wrong in ["http://dyno.example.org", "https://dyno.example.org/sub", "ftp://x", "dyno", "https://u@x.org"] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_administrators_token_is_long() {
        assert!(matches!(long_enough(Secret::new("x")), Err(ConfigError::ShortToken)));
        assert!(long_enough(Secret::new("sixteen letters.")).is_ok());
    }

    #[test]
    fn without_a_file_the_site_is_found_from_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path();
        std::fs::create_dir_all(target.join("site")).unwrap();
        assert_eq!(site_root(None, &target.join("release/dyno")), target.join("site"));
        assert_eq!(site_root(Some(target.to_owned()), &target.join("release/dyno")), target);
    }

    #[test]
    fn the_build_says_what_its_files_are_called() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(browser_program(folder.path(), "pages"), None);
        std::fs::write(folder.path().join("names.txt"), "pages dyno.0a4be2f5c9d3e881\nwizard wizard.c2d3e8810a4be2f5\n").unwrap();
        assert_eq!(browser_program(folder.path(), "pages").as_deref(), Some("dyno.0a4be2f5c9d3e881"));
        assert_eq!(browser_program(folder.path(), "wizard").as_deref(), Some("wizard.c2d3e8810a4be2f5"));
    }

    /// What `Leptos.toml` leaves out, Leptos fills in silently.
    #[test]
    fn the_file_of_the_repository_has_what_the_portal_reads() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(LEPTOS_FILE);
        let text = std::fs::read_to_string(&file).unwrap();
        for key in ["output-name", "site-root", "site-pkg-dir", "site-addr"] {
            assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key} is missing in {LEPTOS_FILE}");
        }
        let options = leptos_file(&file).unwrap().unwrap();
        assert_eq!(&*options.site_pkg_dir, "pkg");
    }
}
