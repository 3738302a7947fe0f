#!/usr/bin/env python3
"""Read the numbers of one report back from each of its formats, each with a reader that is not the program's own, and tell
whether they are the same: JSON and CSV with Python's modules, the workbooks with openpyxl after LibreOffice has opened them and
saved them again, the circular as the text that LibreOffice makes of it, the pages out of the DOM that Chromium made of them.

usage: figures.py REPORT OFFICE PROFILE    a report in Chinese; OFFICE is a folder with what LibreOffice made of workbook.xlsx
                                           (workbook.xlsx), the regions' workbooks (<code>.xlsx) and bulletin.docx
                                           (bulletin.txt); PROFILE is a folder for the browser
"""
import collections
import csv
import glob
import json
import os
import re
import sys
import warnings

import openpyxl

from browser import Browser

COUNTS = {"列入": "listed", "就绪": "ready", "已判定": "judged", "未判定": "inconclusive", "不计入": "out_of_base"}
RATES = {"完成率": "rate", "可能范围下限": "low", "可能范围上限": "high", "覆盖率": "coverage"}
STANDINGS = {"双栈就绪": "READY", "就绪（有缺陷）": "READY_DEFECT", "IPv6 故障": "BROKEN", "未启用 IPv6": "ABSENT",
             "网站不可用": "DOWN", "域名不存在": "NO_NAME", "未判定": "INCONCLUSIVE", "未测到": "LISTED", "无网站": "NO_SITE",
             "名单有误": "INVALID", "不参与": "OPTED_OUT", "已撤并": "CLOSED"}
PASS, FAIL = ("READY", "READY_DEFECT"), ("BROKEN", "ABSENT")
# The key of the whole province among the regions' codes.
TOTAL = "total"


def percent(part, whole):
    """Two decimals, half up; only everything is 100.00, and only nothing 0.00. Empty: there is no whole."""
    if whole == 0:
        return ""
    hundredths = (part * 20000 + whole) // (whole * 2)
    if part < whole:
        hundredths = min(hundredths, 9999)
    if part > 0:
        hundredths = max(hundredths, 1)
    return f"{hundredths // 100}.{hundredths % 100:02}"


def follows(standings):
    """Everything that follows from how many schools have which verdict or roster state."""
    of = collections.Counter(standings)
    listed, unknown = sum(of.values()), of["INCONCLUSIVE"] + of["LISTED"]
    ready = sum(of[name] for name in PASS)
    judged = ready + sum(of[name] for name in FAIL)
    base = judged + unknown
    found = {"listed": listed, "ready": ready, "judged": judged, "inconclusive": unknown, "out_of_base": listed - base,
             "rate": percent(ready, judged), "low": percent(ready, base), "high": percent(ready + unknown, base),
             "coverage": percent(judged, base)}
    found.update({name: of[name] for name in STANDINGS.values()})
    return found


def from_json(counts):
    """Published counts, and the percentages that are printed of them; the published fractions have to be the same."""
    found = {key: counts[key] for key in COUNTS.values()}
    ready, judged, base = found["ready"], found["judged"], found["judged"] + found["inconclusive"]
    low, high = counts["range"] or (None, None)
    for key, part, whole, fraction in (("rate", ready, judged, counts["rate"]), ("low", ready, base, low),
                                       ("high", ready + found["inconclusive"], base, high),
                                       ("coverage", judged, base, counts["coverage"])):
        found[key] = percent(part, whole)
        if (fraction is None) != (whole == 0) or (whole and abs(fraction * 100 - float(found[key])) > 0.0101):
            sys.exit(f"summary.json: {key} is {fraction}, and {part} of {whole} are {found[key]} %")
    found.update(counts["verdicts"])
    found.update(counts["roster"])
    return found


def summary_json(summary):
    """The published sums."""
    found = {TOTAL: from_json(summary["total"])}
    for region in summary["regions"]:
        found[region["code"]] = from_json(region["direct" if region["parent"] is None else "counts"])
    return found


def counted(rows):
    """Sums over rows of a school's region and its standing."""
    of = collections.defaultdict(list)
    for region, standing in rows:
        of[region].append(standing)
        of[TOTAL].append(standing)
    return {place: follows(standings) for place, standings in of.items()}


def table_csv(report, name):
    with open(os.path.join(report, name), encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def schools_csv(report, summary):
    """The lines of the schools, counted; which of them count stands in summary.json."""
    lines = table_csv(report, "schools.csv")
    if [line["domain"] for line in lines] != [school["domain"] or "" for school in summary["schools"]]:
        sys.exit("schools.csv and summary.json do not have the same rows")
    return counted((line["region_code"], line["readiness"]) for line, school in zip(lines, summary["schools"])
                   if school["counted"])


def regions_csv(report):
    found = {}
    for line in table_csv(report, "regions.csv"):
        # The province's line is all of it; what reports to it directly has no line of its own.
        row = {key: int(line[key]) for key in list(COUNTS.values()) + list(STANDINGS.values())}
        row.update(rate=line["rate_pct"], low=line["range_low_pct"], high=line["range_high_pct"],
                   coverage=line["coverage_pct"])
        found[TOTAL if line["level"] == "province" else line["region_code"]] = row
    return found


def sheet_rows(sheet, heading):
    """The rows below the line that holds this heading, up to an empty one, as title and cell pairs in their order."""
    titles, found = None, []
    for row in sheet.iter_rows(values_only=True):
        if titles is None:
            titles = row if heading in row else None
        elif all(cell is None for cell in row):
            break
        else:
            found.append([(title, cell) for title, cell in zip(titles, row) if title is not None])
    return found


def sheet_counts(row):
    """The numbers of a row. The heading 未判定 stands over two columns of one number."""
    found = {}
    for title, cell in row:
        if title in RATES:
            found[RATES[title]] = "" if cell is None else f"{cell * 100:.2f}"
        elif title in COUNTS and COUNTS[title] not in found:
            found[COUNTS[title]] = cell
        elif title in STANDINGS:
            found[STANDINGS[title]] = cell
    return found


def overview(sheet):
    found = sheet_counts(sheet_rows(sheet, "范围")[0])
    for row in sheet_rows(sheet, "占列入"):
        found[STANDINGS[row[0][1]]] = row[1][1]
    return found


def load(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return openpyxl.load_workbook(path, data_only=True)


def workbook(office):
    """Sums on the first sheet, rows on the second, and the schools of the third, counted."""
    book = load(os.path.join(office, "workbook.xlsx"))
    sums = {TOTAL: overview(book["汇总"])}
    rows = {}
    for row in sheet_rows(book["地区"], "地区代码"):
        cells = dict(row)
        rows[TOTAL if cells["级别"] == "省" else str(cells["地区代码"])] = sheet_counts(row)
    schools = [dict(row) for row in sheet_rows(book["学校"], "学校标识码")]
    lines = ((str(of["地区代码"]), STANDINGS[of["判定"]]) for of in schools if of["计入统计"] == "是")
    return sums, rows, counted(lines)


def bureaus(office):
    """The overviews of the regions' own workbooks."""
    books = [path for path in glob.glob(os.path.join(office, "*.xlsx")) if re.fullmatch(r"\d+\.xlsx", os.path.basename(path))]
    return {os.path.basename(path)[:-5]: overview(load(path)["概况"]) for path in books}


def spread(cell):
    """A range as it is printed: one number where both ends are the same."""
    ends = re.findall(r"\d+\.\d\d", cell)
    return {"low": ends[0], "high": ends[-1]} if ends else {"low": "", "high": ""}


DOM = """(() => {
    const words = at => at ? at.textContent.trim() : '';
    const keys = [...document.querySelectorAll('.keys > div')].map(each => [words(each.querySelector('dt')),
        words(each.querySelector('.value')), words(each.querySelector('.note'))]);
    const legend = [...document.querySelectorAll('.legend li')].map(each => [words(each.querySelector('b').previousSibling),
        words(each.querySelector('b'))]);
    const rows = [...document.querySelectorAll('#regions tbody tr, #regions tfoot tr')].map(row => ({
        link: row.querySelector('th a') ? row.querySelector('th a').getAttribute('href') : null,
        cells: [...row.querySelectorAll('td')].map(cell => [cell.dataset.label, words(cell)])}));
    return {keys, legend, rows, sentence: words(document.querySelector('.sentence')) + words(document.querySelector('.rest'))};
})()"""


def sentence(text):
    """The numbers in the first sentence of a page or of the circular."""
    found = {}
    for key, pattern in (("listed", r"共 (\d+) 所|列入监测的 (\d+) 所"), ("judged", r"作出判定的(?:有)? ?(\d+) 所"),
                         ("ready", r"(\d+) 所的门户网站已支持"), ("rate", r"完成率 ([\d.]+)%"),
                         ("inconclusive", r"另有 (\d+) 所"), ("out_of_base", r"(?:计入统计的 (\d+) 所|(\d+) 所不计入统计)"),
                         ("READY_DEFECT", r"其中 (\d+) 所有缺陷"), ("ABSENT", r"尚未启用 IPv6 的学校 (\d+) 所"),
                         ("BROKEN", r"不能正常访问的学校 (\d+) 所"), ("low", r"可能范围 ([\d.]+)%"),
                         ("high", r"可能范围 [\d.]+% 至 ([\d.]+)%")):
        match = re.search(pattern, text)
        if match:
            value = next(group for group in match.groups() if group)
            found[key] = value if "." in value else int(value)
    return found


def page(browser, path):
    """What a page says of its own region: its key figures, its bar of verdicts, its first sentences; and its table of regions."""
    browser.open("file://" + os.path.abspath(path))
    dom = browser.call("Runtime.evaluate", expression=DOM, returnByValue=True)["result"]["value"]
    head = sentence(dom["sentence"])
    for label, value, note in dom["keys"]:
        value = value.replace(" %", "")
        if label == "可能范围":
            head.update(spread(value))
        elif label == "不计入":
            head["out_of_base"] = int(value)
        elif label in RATES:
            head[RATES[label]] = value
        head.update({COUNTS[word]: int(count) for word, count in re.findall(r"(就绪|已判定|列入) (\d+)", note)})
    head.update({STANDINGS[word]: int(count) for word, count in dom["legend"]})
    rows = {}
    for row in dom["rows"]:
        cells = {}
        for label, text in row["cells"]:
            label = (label or "").replace(" %", "")
            if label in COUNTS:
                cells[COUNTS[label]] = int(text)
            elif label == "可能范围":
                cells.update(spread(text))
            elif label in RATES:
                cells[RATES[label]] = text if text != "–" else ""
        rows[os.path.basename(row["link"])[:-5] if row["link"] else TOTAL] = cells
    return head, rows


def bulletin(office, names):
    """The sentence of the circular, and its table of seven columns."""
    with open(os.path.join(office, "bulletin.txt"), encoding="utf-8-sig") as text:
        lines = text.read().split("\n")
    found = {TOTAL: sentence("".join(lines))}
    begin = lines.index("名次") + 7
    cells = [line.strip() for line in lines[begin:lines.index("三、主要问题")]]
    for at in range(0, len(cells) - 6, 7):
        _, name, listed, judged, ready, rate, _ = cells[at:at + 7]
        row = {"listed": int(listed), "judged": int(judged), "ready": int(ready), "rate": rate.replace(" %", "")}
        place = TOTAL if name == "合计" else names[name.split("本级")[0]]
        if place == TOTAL and found[TOTAL] != {**found[TOTAL], **row}:
            sys.exit(f"the circular's sum and its sentence: {row} {found[TOTAL]}")
        found[place] = {**found.get(place, {}), **row}
    return found


def differences(expected, sources):
    """How many numbers were compared in each source, and which of them differ."""
    compared, wrong = collections.Counter(), []
    for name, places in sources.items():
        for place, found in places.items():
            for key, value in found.items():
                compared[name] += 1
                if expected[place][key] != value:
                    wrong.append(f"{name}: {place} {key} is {value}, and {expected[place][key]} in summary.json")
    return compared, wrong


def main(report, office, profile):
    with open(os.path.join(report, "summary.json"), encoding="utf-8") as text:
        summary = json.load(text)
    expected = summary_json(summary)
    names = {region["name"]: region["code"] for region in summary["regions"]}
    sums, rows, schools = workbook(office)
    browser = Browser(profile, 9)
    head, lines = page(browser, os.path.join(report, "index.html"))
    pages = {os.path.basename(path)[:-5]: page(browser, path)[0] for path in glob.glob(os.path.join(report, "regions", "*.html"))}
    # The control: one number of the table is another in a copy of the page.
    with open(os.path.join(report, "index.html"), encoding="utf-8") as text:
        changed, times = re.subn(r'(data-label="就绪">)(\d+)<', lambda of: f"{of[1]}{int(of[2]) + 1}<", text.read(), count=1)
    control = os.path.join(profile, "control.html")
    with open(control, "w", encoding="utf-8") as text:
        text.write(changed)
    noticed = differences(expected, {"control": page(browser, control)[1]})[1]
    browser.close()
    if times != 1 or len(noticed) != 1:
        sys.exit(f"one number that is another in a copy of the page was not noticed as one: {noticed}")
    sources = {"schools.csv counted": schools_csv(report, summary), "regions.csv": regions_csv(report),
               "workbook 汇总": sums, "workbook 地区": rows, "workbook 学校 counted": schools, "regions/*.xlsx": bureaus(office),
               "index.html head": {TOTAL: head}, "index.html table": lines, "regions/*.html": pages,
               "bulletin.docx": bulletin(office, names)}
    compared, wrong = differences(expected, sources)
    regions = len(summary["regions"])
    print(f"n={sum(compared.values())} numbers of {regions} regions and their sum, {len(wrong)} differ (control: {len(noticed)}); "
          + ", ".join(f"{name} {count}" for name, count in compared.items()))
    # A reader that found next to nothing has compared nothing.
    least = {"schools.csv counted": 21, "regions.csv": 21, "workbook 地区": 21, "workbook 学校 counted": 21,
             "regions/*.xlsx": 20, "index.html table": 9, "regions/*.html": 9, "bulletin.docx": 4}
    poor = [name for name, each in least.items() if compared[name] < each * regions]
    poor += [name for name in ("workbook 汇总", "index.html head") if compared[name] < 18]
    if wrong or poor:
        sys.exit("\n".join(wrong[:20] + [f"too little was read of: {poor}"] * bool(poor)))


main(*sys.argv[1:])
