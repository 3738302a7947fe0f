//! The words that lists use for categories, states and roles.
//!
//! Leaves domains and words for "nosite" to [`super::normalise`].

use crate::model::school::{Category, Role, RosterState};

// Words as `text::comparable` leaves them: narrow, lower case, no spaces.

const CATEGORIES: [(Category, &[&str]); 7] = [
    (
        Category::K12,
        &[
            "k12",
            "中小学",
            "小学",
            "初中",
            "高中",
            "中学",
            "普通高中",
            "完全中学",
            "高级中学",
            "初级中学",
            "九年一贯制",
            "九年一贯制学校",
            "十二年一贯制",
            "十二年一贯制学校",
            "义务教育",
            "基础教育",
            "特殊教育",
            "特殊教育学校",
            "primary",
            "secondary",
            "primary_school",
            "secondary_school",
            "high_school",
            "school",
        ],
    ),
    (
        Category::SecondaryVocational,
        &[
            "secondary_vocational",
            "中职",
            "中等职业",
            "中等职业学校",
            "中等职业教育",
            "中专",
            "普通中专",
            "成人中专",
            "职高",
            "职业高中",
            "技校",
            "技工学校",
            "职业学校",
            "职业教育",
            "vocational",
        ],
    ),
    (
        Category::HigherEducation,
        &[
            "higher_education",
            "高校",
            "高等学校",
            "高等教育",
            "普通高校",
            "普通高等学校",
            "本科",
            "专科",
            "普通本科",
            "职业本科",
            "高职",
            "高专",
            "高职高专",
            "高职院校",
            "高职(专科)",
            "高等职业学校",
            "大学",
            "学院",
            "独立学院",
            "university",
            "college",
        ],
    ),
    (
        Category::AdultHigherEducation,
        &["adult_higher_education", "成人高校", "成人高等学校", "成人高等教育", "成人教育"],
    ),
    (
        Category::EducationAuthority,
        &["education_authority", "教育行政部门", "教育部门", "教育局", "教体局", "教育厅", "主管部门", "行政部门"],
    ),
    (Category::ExamAuthority, &["exam_authority", "考试机构", "招生考试机构", "考试院", "招考机构"]),
    (
        Category::Other,
        &[
            "other",
            "其他",
            "其它",
            "幼儿园",
            "直属单位",
            "事业单位",
            "科研机构",
            "平台",
            "kindergarten",
            "platform",
            "education_other",
            "research_institute",
            "unnamed",
            "municipal_government_portal",
        ],
    ),
];

const STATES: [(RosterState, &[&str]); 4] = [
    (
        RosterState::Listed,
        &[
            "",
            "listed",
            "active",
            "open",
            "current",
            "unverified",
            "ok",
            "正常",
            "在办",
            "在用",
            "运行",
            "开办",
            "正常办学",
        ],
    ),
    (
        RosterState::Closed,
        &[
            "closed",
            "merged",
            "已撤并",
            "撤并",
            "已撤销",
            "撤销",
            "已合并",
            "合并",
            "停办",
            "已停办",
            "关闭",
            "已关闭",
            "已注销",
        ],
    ),
    (
        RosterState::OptedOut,
        &[
            "opted_out",
            "opt_out",
            "optout",
            "opted-out",
            "optedout",
            "opt-out",
            "不参与",
            "不参加",
            "退出",
            "豁免",
            "不检测",
        ],
    ),
    (RosterState::NoSite, &["no_site", "nosite", "无网站", "没有网站", "未建站", "未建网站"]),
];

const ROLES: [(Role, &[&str]); 2] = [
    (Role::Portal, &["portal", "门户", "门户网站", "主站", "官网", "首页"]),
    (Role::Service, &["service", "业务", "业务系统", "应用", "应用系统", "系统", "子站", "二级网站"]),
];

fn find<T: Copy>(table: &[(T, &[&str])], cell: &str) -> Option<T> {
    if cell.len() > 64 {
        return None;
    }
    let cell = super::text::comparable(cell);
    table.iter().find(|(_, words)| words.contains(&cell.as_str())).map(|(t, _)| *t)
}

/// The category that a cell means. None: not a word for one.
pub(super) fn category(cell: &str) -> Option<Category> {
    find(&CATEGORIES, cell)
}

/// The state that a cell means. None: not a word for one.
pub(super) fn state(cell: &str) -> Option<RosterState> {
    find(&STATES, cell)
}

/// The role that a cell means. None: not a word for one.
pub(super) fn role(cell: &str) -> Option<Role> {
    find(&ROLES, cell)
}

/// The category that a school's name suggests, for lists that say nothing. None: it suggests none.
///
/// In this order, because 职业中等专业学校 also holds 学校 and 教育学院 also holds 教育.
pub(super) fn category_of_name(name: &str) -> Option<Category> {
    let any = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if any(&["考试院", "招生办", "考试中心"]) {
        Some(Category::ExamAuthority)
    } else if any(&["教育局", "教体局", "教育体育局", "教育厅", "教育委员会"]) {
        Some(Category::EducationAuthority)
    } else if any(&["幼儿园"]) {
        Some(Category::Other)
    } else if any(&["附属中学", "附属小学", "附中", "附小", "实验学校"]) {
        Some(Category::K12)
    } else if any(&["职工大学", "开放大学", "广播电视大学", "成人高", "职工学院", "业余大学"])
    {
        Some(Category::AdultHigherEducation)
    } else if any(&["大学", "学院", "高等专科学校"]) {
        Some(Category::HigherEducation)
    } else if any(&["中等专业", "中专", "职业", "技工", "技师", "职教中心", "卫生学校", "工业学校"])
    {
        Some(Category::SecondaryVocational)
    } else if any(&["小学", "中学", "高中", "初中", "一中", "学校"]) {
        Some(Category::K12)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_hold_comparable_words() {
        let words = CATEGORIES.iter().flat_map(|(_, words)| words.iter());
        let words = words.chain(STATES.iter().flat_map(|(_, words)| words.iter()));
        for word in words.chain(ROLES.iter().flat_map(|(_, words)| words.iter())) {
            assert_eq!(super::super::text::comparable(word), *word);
        }
    }

    #[test]
    fn words_in_both_languages() {
        assert_eq!(category("高职（专科）"), Some(Category::HigherEducation));
        assert_eq!(category(" K12 "), Some(Category::K12));
        assert_eq!(category("某某"), None);
        for category_of in Category::ALL {
            assert_eq!(category(category_of.name()), Some(category_of));
        }
        assert_eq!(state("已撤并"), Some(RosterState::Closed));
        assert_eq!(state("不参与"), Some(RosterState::OptedOut));
        assert_eq!(state("CLOSED"), Some(RosterState::Closed));
        assert_eq!(state("legacy"), None);
        assert_eq!(role("门户"), Some(Role::Portal));
        assert_eq!(role("业务系统"), Some(Role::Service));
    }

    #[test]
    fn names_suggest_categories() {
        for (name, expected) in [
            ("某某大学", Some(Category::HigherEducation)),
            ("某某大学附属中学", Some(Category::K12)),
            ("某市第一中学", Some(Category::K12)),
            ("某县职业中等专业学校", Some(Category::SecondaryVocational)),
            ("某市职工大学", Some(Category::AdultHigherEducation)),
            ("某市教育局", Some(Category::EducationAuthority)),
            ("省教育考试院", Some(Category::ExamAuthority)),
            ("www.a.cn", None),
        ] {
            assert_eq!(category_of_name(name), expected, "{name}");
        }
    }
}
