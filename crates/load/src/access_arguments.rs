//! How a server is reached, on the command line: certificates and headers.

use std::path::PathBuf;

use clap::Args;

use dyno_measure::plan::PlanHeader;

#[derive(Debug, Clone, Args)]
pub struct AccessArgs {
    /// Trust the certificates of this file (PEM) too. The environment variable SSL_CERT_FILE names one in place of the
    /// system's.
    #[arg(long, value_name = "FILE", conflicts_with = "plan", help_heading = "Access")]
    pub ca: Option<PathBuf>,
    /// Take any certificate; the report says so.
    #[arg(long, conflicts_with_all = ["plan", "ca"], help_heading = "Access")]
    pub insecure: bool,
    /// Add this header to each request; may be given several times. A value $NAME is that of an environment variable, as it
    /// must be for a header that holds a secret.
    #[arg(long, value_name = "NAME: VALUE", conflicts_with = "plan", value_parser = PlanHeader::parse, help_heading = "Access")]
    pub header: Vec<PlanHeader>,
}
