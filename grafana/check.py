#!/usr/bin/env python3
"""Asks a Prometheus every question that a dashboard would ask it.

A dashboard fails silently: a metric that was renamed is an empty panel, not an error. So this substitutes the
variables of each dashboard as Grafana does, runs every expression as a range query, and exits with 1 when

  - Prometheus refuses an expression,
  - an expression returns no data, or nothing but NaN,
  - a legend names a label that the result lacks,
  - a variable has no values,
  - the file itself is wrong: an id or a refId taken twice, a panel that overlaps another, an unknown variable.

It needs the standard library only, and a Prometheus that has scraped nodes under load for half a minute.
"""

import argparse
import itertools
import json
import math
import pathlib
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

DASHBOARDS = pathlib.Path(__file__).parent / "dashboards"
TIMEOUT_SECONDS = 15
COLUMNS = 24
VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)|\[\[(\w+)\]\]")
LABEL_VALUES = re.compile(r"label_values\((?:(.+),\s*)?(\w+)\)")


class Refused(Exception):
    """Prometheus answered that it will not answer."""


class Prometheus:
    def __init__(self, address):
        self.address = address.rstrip("/")

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.address}/api/v1/{path}?{query}", timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            body = error.read().decode(errors="replace")
            try:
                raise Refused(json.loads(body)["error"]) from error
            except (ValueError, KeyError, TypeError):
                raise Refused(f"{error.code} {body[:200]}") from error

    def query_range(self, expression, seconds, step):
        end = time.time()
        return self.get("query_range", query=expression, start=end - seconds, end=end, step=step)["result"]

    def label_values(self, selector, label):
        match = {"match[]": selector} if selector else {}
        return self.get(f"label/{label}/values", **match)


def substitute(text, values):
    """`text` with `$name`, `${name}` and `[[name]]` replaced; KeyError names a variable that has no value."""
    return VARIABLE.sub(lambda found: values[next(filter(None, found.groups()))], text)


def variables(dashboard, prometheus, built_in, given):
    """The value of each variable that a fresh visit would have, and what is wrong with those that have none."""
    values, faults = dict(built_in), []
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if name in given:
            values[name] = given[name]
        elif variable["type"] == "datasource":
            values[name] = "prometheus"
        elif variable["type"] == "query":
            text = variable["query"]["query"]
            found = LABEL_VALUES.fullmatch(text)
            if not found:
                faults.append(f"variable {name}: {text} is not label_values(...)")
                continue
            options = prometheus.label_values(substitute(found[1] or "", values), found[2])
            if not options:
                faults.append(f"variable {name}: no values")
                continue
            values[name] = variable.get("allValue", ".*") if variable.get("includeAll") else options[0]
            print(f"${name}: {', '.join(options)}")
        else:
            faults.append(f"variable {name}: this script does not know the type {variable['type']}")
    return values, faults


def panels_of(dashboard):
    """Every panel, those inside collapsed rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def faults_of_file(dashboard):
    """What is wrong without asking anybody."""
    faults = []
    if "__inputs" in dashboard:
        faults.append("__inputs: provisioning from files does not fill them")
    panels = list(panels_of(dashboard))
    identities = [panel["id"] for panel in panels]
    faults += [f"panel id {one} is taken twice" for one in sorted({i for i in identities if identities.count(i) > 1})]
    for panel in panels:
        references = [target["refId"] for target in panel.get("targets", [])]
        if len(references) != len(set(references)):
            faults.append(f"{panel['title']}: a refId is taken twice")
        if panel["type"] != "row" and not references:
            faults.append(f"{panel['title']}: asks nothing")
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > COLUMNS:
            faults.append(f"{panel['title']}: wider than the {COLUMNS} columns")
    for one, other in itertools.combinations(dashboard["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        if not apart and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
            faults.append(f"{one['title']} and {other['title']} overlap")
    return faults


def has_a_number(series):
    return any(math.isfinite(float(value)) for _, value in series["values"])


def ask(prometheus, target, values, options):
    """How many series an expression has, and what is wrong with it, or None."""
    try:
        expression = substitute(target["expr"], values)
        result = prometheus.query_range(expression, options.seconds, options.step)
    except KeyError as unknown:
        return 0, f"error: no variable {unknown}"
    except Refused as refusal:
        return 0, f"error: {refusal}"
    if not result:
        return 0, f"no data: {expression}"
    if not any(has_a_number(series) for series in result):
        return len(result), f"nothing but NaN: {expression}"
    for label in re.findall(r"{{\s*(\w+)\s*}}", target.get("legendFormat", "")):
        if any(label not in series["metric"] for series in result):
            return len(result), f"error: the legend names {label}, which the result lacks: {expression}"
    return len(result), None


def check(dashboard, prometheus, options):
    """Prints a line for each expression; returns how many were asked and how many things are wrong."""
    values, faults = variables(dashboard, prometheus, options.built_in, dict(options.var))
    faults += faults_of_file(dashboard)
    asked = 0
    for panel in panels_of(dashboard):
        for target in panel.get("targets", []):
            asked += 1
            series, fault = ask(prometheus, target, values, options)
            name = f"{panel['title']} [{target['refId']}]"
            if fault is None:
                print(f"ok     {series:4d} series  {name}")
            elif panel["title"] in options.may_be_empty and not fault.startswith("error"):
                print(f"empty, as allowed   {name}")
            else:
                faults.append(f"{name}: {fault}")
    for fault in faults:
        print(f"WRONG  {fault}")
    return asked, len(faults)


def pair(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("NAME=VALUE is wanted")
    return name, value


def arguments():
    parser = argparse.ArgumentParser(description="Asks a Prometheus every question that a dashboard would ask it.")
    parser.add_argument("dashboards", nargs="*", type=pathlib.Path, metavar="FILE",
                        default=sorted(DASHBOARDS.glob("*.json")), help="default: all of dashboards/ beside this script")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL", help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=30, help="how far back the queries reach (default: %(default)s)")
    parser.add_argument("--step", type=int, default=5, metavar="SECONDS",
                        help="distance of the points; the scrape interval (default: %(default)s)")
    parser.add_argument("--var", type=pair, action="append", default=[], metavar="NAME=VALUE",
                        help="value of a variable, instead of All or the first one")
    parser.add_argument("--may-be-empty", action="append", default=[], metavar="TITLE",
                        help="a panel that may have no data, such as those of requests while no client asks")
    options = parser.parse_args()
    options.built_in = {
        "__interval": f"{options.step}s",
        # As Grafana has it: at least four scrapes.
        "__rate_interval": f"{options.step * 4}s",
        "__range": f"{options.seconds}s",
    }
    return options


def main():
    options = arguments()
    if not options.dashboards:
        sys.exit("error: no dashboards")
    prometheus = Prometheus(options.prometheus)
    wrong = 0
    for path in options.dashboards:
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        print(f"{path.name}: {dashboard['title']}")
        try:
            asked, faults = check(dashboard, prometheus, options)
        except (Refused, OSError) as error:
            sys.exit(f"error: {options.prometheus}: {error}")
        print(f"{asked} expressions, {faults} wrong")
        wrong += faults
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
