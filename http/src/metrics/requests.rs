//! Requests by method, route and status, and how long they took.
//!
//! A series is a place in an array, made when it is first needed: no label is looked up or allocated
//! on the road of a request. A path that is not served counts under `unmatched`, a method that has no
//! place in the table under `other`, so that no scanner can make series.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use gridkv_actors::histogram::{Histogram, REQUESTS};
use serde::Serialize;

use super::exposition::Exposition;
use super::names::{HTTP_DURATION, HTTP_IN_FLIGHT, HTTP_REQUESTS};
use crate::routes::{RESOURCES, Verb};

/// The lowest status there is; a series counts those from here to 599.
const FIRST_STATUS: u16 = 100;

/// How many statuses there are.
const STATUSES: usize = 500;

/// The requests since the start, as they are shown.
#[derive(Debug, Serialize)]
pub(crate) struct RequestsView {
    in_flight: u64,
    bounds_seconds: Vec<f64>,
    routes: Vec<RouteView>,
}

/// Those of a method and route.
#[derive(Debug, Serialize)]
struct RouteView {
    method: &'static str,
    route: &'static str,
    codes: BTreeMap<u16, u64>,
    /// For each bound how many took no longer; the last number is that of all.
    not_slower: Vec<u64>,
}

/// Every request of one server.
pub(crate) struct Requests {
    /// In flight and under the cap.
    capped: AtomicU64,
    /// In flight and not under the cap.
    exempt: AtomicU64,
    /// One for each route and `unmatched`, times one for each verb.
    series: Vec<OnceLock<Series>>,
}

struct Series {
    by_status: Vec<AtomicU64>,
    duration: Histogram,
}

impl Requests {
    /// Counters at 0.
    pub(crate) fn new() -> Self {
        let places = (RESOURCES.len() + 1) * Verb::ALL.len();
        let series = (0..places).map(|_| OnceLock::new()).collect();
        let (capped, exempt) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { capped, exempt, series }
    }

    /// Counts a request as being in flight until the guard is dropped. One that is exempt from the
    /// cap takes no place from the others.
    pub(crate) fn enter(&self, exempt: bool) -> InFlight<'_> {
        let gauge = if exempt { &self.exempt } else { &self.capped };
        let before = gauge.fetch_add(1, Ordering::Relaxed);
        InFlight { gauge, count: before.saturating_add(1) }
    }

    /// Takes a request that is under the cap out of it until the guard is dropped: it stays in flight, and takes
    /// no place from those that are worked on.
    pub(crate) fn step_aside(&self) -> Aside<'_> {
        self.exempt.fetch_add(1, Ordering::Relaxed);
        self.capped.fetch_sub(1, Ordering::Relaxed);
        Aside(self)
    }

    /// Counts an answered request. `route` is its place in the table of resources.
    pub(crate) fn observe(
        &self,
        route: Option<usize>,
        verb: Verb,
        status: StatusCode,
        took: Duration,
    ) {
        let route = route.unwrap_or(RESOURCES.len());
        let Some(place) = self.series.get(route * Verb::ALL.len() + verb.index()) else { return };
        let series = place.get_or_init(Series::new);
        let status = usize::from(status.as_u16().saturating_sub(FIRST_STATUS));
        if let Some(counter) = series.by_status.get(status) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        series.duration.observe_time(took);
    }

    /// Every series that was used, as plain numbers.
    pub(crate) fn view(&self) -> RequestsView {
        let of = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        let mut routes = Vec::new();
        for (place, series) in self.series.iter().enumerate() {
            let Some(series) = series.get() else { continue };
            let route = RESOURCES.get(place / Verb::ALL.len());
            let verb = Verb::ALL.get(place % Verb::ALL.len()).copied().unwrap_or(Verb::Other);
            routes.push(RouteView {
                method: verb.as_str(),
                route: route.map_or("unmatched", |resource| resource.pattern),
                codes: series.codes().collect(),
                not_slower: series.not_slower(),
            });
        }
        let bounds = REQUESTS.bounds.iter().copied();
        let bounds = bounds.map(|micros| Duration::from_micros(micros).as_secs_f64());
        RequestsView {
            in_flight: of(&self.capped).saturating_add(of(&self.exempt)),
            bounds_seconds: bounds.collect(),
            routes,
        }
    }

    /// Writes every series that was used.
    pub(super) fn collect(&self, into: &mut Exposition) {
        let of = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        into.count(&HTTP_IN_FLIGHT, &[], of(&self.capped).saturating_add(of(&self.exempt)));
        let routes = RESOURCES.iter().map(|resource| resource.pattern).chain(["unmatched"]);
        let places = routes.flat_map(|route| Verb::ALL.map(|verb| (route, verb.as_str())));
        for ((route, method), place) in places.zip(&self.series) {
            let Some(series) = place.get() else { continue };
            for (code, count) in series.codes() {
                into.count(&HTTP_REQUESTS, &[method, route, &code.to_string()], count);
            }
            into.histogram(&HTTP_DURATION, &[method, route], &series.duration.measured());
        }
    }
}

impl Series {
    fn new() -> Self {
        let by_status = (0..STATUSES).map(|_| AtomicU64::new(0)).collect();
        Self { by_status, duration: Histogram::of(&REQUESTS) }
    }

    /// Statuses that were answered, and how often.
    fn codes(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let counts = self.by_status.iter().map(|counter| counter.load(Ordering::Relaxed));
        (FIRST_STATUS..).zip(counts).filter(|(_, count)| *count > 0)
    }

    /// How many took no longer than each bound, and in the end how many there were.
    fn not_slower(&self) -> Vec<u64> {
        let counts = self.duration.measured().counts;
        let sums = counts.iter().scan(0, |below, count| {
            *below += count;
            Some(*below)
        });
        sums.collect()
    }
}

/// A request that has no answer yet.
pub(crate) struct InFlight<'a> {
    gauge: &'a AtomicU64,
    count: u64,
}

impl InFlight<'_> {
    /// Requests of its kind in flight when this one came, this one included.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.gauge.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request that is in flight and not under the cap for now.
pub(crate) struct Aside<'a>(&'a Requests);

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.capped.fetch_add(1, Ordering::Relaxed);
        self.0.exempt.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_series_that_were_used_are_shown() {
        let requests = Requests::new();
        let took = Duration::from_micros(50);
        requests.observe(Some(0), Verb::Get, StatusCode::OK, took);
        requests.observe(Some(0), Verb::Get, StatusCode::OK, took);
        requests.observe(None, Verb::Other, StatusCode::NOT_FOUND, took);
        let guard = requests.enter(false);
        let exempt = requests.enter(true);
        assert_eq!((guard.count(), exempt.count()), (1, 1));
        let mut exposition = Exposition::default();
        requests.collect(&mut exposition);
        let text = exposition.into_text();
        let counters: Vec<_> =
            text.lines().filter(|line| line.starts_with("gridkv_http_requests_total{")).collect();
        assert_eq!(
            counters,
            [
                "gridkv_http_requests_total{method=\"GET\",route=\"/v1/kv/{store}/{key}\",code=\"200\"} 2",
                "gridkv_http_requests_total{method=\"other\",route=\"unmatched\",code=\"404\"} 1",
            ]
        );
        assert!(text.contains("gridkv_http_requests_in_flight 2\n"));
        assert!(
            text.contains("_bucket{method=\"GET\",route=\"/v1/kv/{store}/{key}\",le=\"0.0001\"} 2")
        );
        let aside = requests.step_aside();
        assert_eq!(requests.enter(false).count(), 1);
        drop(aside);
        assert_eq!(requests.enter(false).count(), 2);
        drop(guard);
        assert_eq!(requests.enter(false).count(), 1);
    }
}
