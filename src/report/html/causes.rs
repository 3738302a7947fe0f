//! Root causes on a page: one ticket each, with what it is about, whom it helps and how it is mended.

use super::super::clean::clean;
use super::super::format::percent;
use super::super::model::{After, AfterIn, CauseInfo, Counts, Report, Rows};
use super::super::text::{Context, Text};
use super::head::percent_sign;
use crate::model::site::SiteKey;

/// Tickets of one kind on a page; `causes.csv` has them all.
const MOST: usize = 40;
/// Tickets above the fold: of what keeps schools from passing, and of defects.
pub(super) const FIRST: usize = 5;
pub(super) const FIRST_DEFECTS: usize = 2;
/// Sites and units that a ticket names.
const NAMED: usize = 12;

/// The tickets of one kind.
pub(super) struct Tickets {
    /// Those that help most.
    pub(super) first: Vec<Ticket>,
    /// The others, below the fold.
    pub(super) rest: Vec<Ticket>,
    /// What to click for them.
    pub(super) unfold: String,
    /// Where they are, for who holds a page on paper that leaves them out.
    pub(super) paper: String,
    /// How many more there are. Empty: none.
    pub(super) more: String,
}

impl Tickets {
    /// Splits the tickets on a page, of `all` that there are, after the `first`.
    fn new(text: &Text, tickets: impl Iterator<Item = Ticket>, all: usize, first: usize) -> Self {
        let mut tickets: Vec<Ticket> = tickets.collect();
        let rest = tickets.split_off(tickets.len().min(first));
        let (shown, others) = (tickets.len().to_string(), rest.len().to_string());
        let values = [("first", &*shown), ("rest", &*others)];
        let (unfold, paper) = (text.fill("cause.rest", &values), text.fill("cause.paper", &values));
        Self { first: tickets, rest, unfold, paper, more: more(text, all) }
    }
}

/// One ticket.
pub(super) struct Ticket {
    pub(super) number: usize,
    pub(super) title: String,
    pub(super) subject: String,
    pub(super) code: String,
    /// Somebody else has to mend it.
    pub(super) outside: bool,
    pub(super) helped: u64,
    pub(super) touched: u64,
    pub(super) rows: u64,
    /// Completion of the page's area afterwards, with its counts.
    pub(super) after: String,
    /// The same of regions and tasks.
    pub(super) details: Vec<String>,
    pub(super) units: String,
    pub(super) sites: String,
    pub(super) steps: Vec<String>,
    pub(super) example: String,
}

/// Tickets for the whole province, the `first` above the fold.
pub(super) fn of_province(report: &Report, text: &Text, causes: &[CauseInfo], first: usize) -> Tickets {
    let tickets = causes.iter().take(MOST).enumerate();
    let tickets = tickets.map(|(index, cause)| {
        let regions = cause.regions.iter().filter_map(|of| {
            let region = report.regions.iter().find(|region| region.code.0 == of.key)?;
            // What lies above all is the page itself.
            region.parent.as_ref()?;
            Some(detail(&super::tables::region_name(text, region), of))
        });
        let tasks = cause.tasks.iter().map(|of| detail(&text.fill("task", &[("id", &clean(&of.key))]), of));
        let details = tasks.chain(regions).take(NAMED).collect();
        ticket(text, index + 1, cause, (cause.helped, cause.touched, cause.after), details)
    });
    Tickets::new(text, tickets, causes.len(), first)
}

/// Tickets that touch schools of one region, those first that help it most.
pub(super) fn of_region(text: &Text, causes: &[CauseInfo], region: &str) -> Tickets {
    let touching = |cause: &'_ CauseInfo| cause.regions.iter().position(|of| of.key == region);
    let mut here: Vec<(&CauseInfo, &AfterIn)> =
        causes.iter().filter_map(|cause| Some((cause, &cause.regions[touching(cause)?]))).collect();
    // Stable: what helps a region equally stays in the province's order.
    here.sort_by_key(|(_, of)| std::cmp::Reverse((of.helped, of.touched)));
    let tickets = here.iter().take(MOST).enumerate();
    let tickets = tickets
        .map(|(index, (cause, of))| ticket(text, index + 1, cause, (of.helped, of.touched, of.after), Vec::new()));
    Tickets::new(text, tickets, here.len(), FIRST)
}

/// Tickets that touch these schools alone: the province's own, which are no region of their own.
pub(super) fn of_schools(text: &Text, causes: &[CauseInfo], rows: Rows, counts: &Counts) -> Tickets {
    let sites: Vec<_> = rows.those(|row| row.counted).filter_map(|row| row.domain).collect();
    let needs = |site: &SiteKey| causes.iter().filter(|cause| cause.sites.contains(site)).count();
    let mut here: Vec<(&CauseInfo, u64, u64)> = causes
        .iter()
        .filter_map(|cause| {
            let touched = || sites.iter().filter(|site| cause.sites.contains(site));
            let helped = touched().filter(|site| needs(site) == 1).count();
            (touched().count() > 0).then_some((cause, helped as u64, touched().count() as u64))
        })
        .collect();
    here.sort_by_key(|&(_, helped, touched)| std::cmp::Reverse((helped, touched)));
    let tickets = here.iter().take(MOST).enumerate().map(|(index, &(cause, helped, touched))| {
        let ready = counts.ready + helped;
        let rate = (counts.judged > 0).then(|| ready as f64 / counts.judged as f64);
        ticket(text, index + 1, cause, (helped, touched, After { ready, judged: counts.judged, rate }), Vec::new())
    });
    Tickets::new(text, tickets, here.len(), FIRST)
}

fn more(text: &Text, all: usize) -> String {
    match all.saturating_sub(MOST) {
        0 => String::new(),
        more => text.fill("cause.more", &[("more", &more.to_string())]),
    }
}

fn detail(name: &str, of: &AfterIn) -> String {
    format!("{name} {}", rate(of.after))
}

/// `60.00 % (3 / 5)`.
fn rate(after: After) -> String {
    format!("{} ({} / {})", percent_sign(percent(after.ready, after.judged)), after.ready, after.judged)
}

fn ticket(
    text: &Text,
    number: usize,
    cause: &CauseInfo,
    (helped, touched, after): (u64, u64, After),
    details: Vec<String>,
) -> Ticket {
    let advice = text.advise(&cause.finding, &Context::new());
    let named = |all: Vec<&str>| {
        let shown: Vec<String> = all.iter().take(NAMED).map(|name| clean(name).into_owned()).collect();
        let more = if all.len() > NAMED { text.w("cause.and_more") } else { "" };
        format!("{}{more}", shown.join(text.w("sep")))
    };
    Ticket {
        number,
        title: advice.title,
        subject: clean(&cause.subject).into_owned(),
        code: cause.code.clone(),
        outside: cause.outside == Some(true),
        helped,
        touched,
        rows: cause.rows,
        after: rate(after),
        details,
        units: named(cause.units.iter().map(String::as_str).collect()),
        sites: named(cause.sites.iter().map(SiteKey::as_str).collect()),
        steps: advice.remedy.lines().map(str::to_owned).collect(),
        example: advice.example,
    }
}
