//! The words for what was changed in a row and what is wrong with it: English in the roster, Chinese on request.
//!
//! The roster stores the English sentence, sometimes with an argument after `": "`; [`in_chinese`] finds the Chinese
//! one by the English, so that the roster needs no second field. Leaves to the other modules when a sentence is said.

/// Something that was changed, or is worth a look, in a cell that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Full-width letters, dots or colons.
    FullWidth,
    /// Ideographic or no-break spaces.
    WideSpaces,
    /// Zero-width, bidirectional and other characters that are not seen.
    Invisible,
    /// Quotation marks and angle brackets.
    Quotes,
    /// Dashes that are not the hyphen.
    Dashes,
    /// Backslashes in a URL.
    Backslashes,
    /// `http//`, `http:/`, `htttp://`.
    SchemeSpelling,
    /// `http://http://`.
    SchemeTwice,
    /// `user:password@`. Never kept.
    UserInfo,
    /// Path, query or fragment.
    Path,
    /// The root dot, or a full stop.
    TrailingDot,
    /// Capitals.
    UpperCase,
    /// Words beside the name.
    Remark,
    /// Several names in one cell.
    SeveralNames,
    /// The same name twice in one cell.
    NamedTwice,
    /// Scripts that do not belong together in one label.
    MixedScript,
    /// A provincial zone such as `ha.edu.cn`.
    ProvincialZone,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 17] = [
        Self::FullWidth,
        Self::WideSpaces,
        Self::Invisible,
        Self::Quotes,
        Self::Dashes,
        Self::Backslashes,
        Self::SchemeSpelling,
        Self::SchemeTwice,
        Self::UserInfo,
        Self::Path,
        Self::TrailingDot,
        Self::UpperCase,
        Self::Remark,
        Self::SeveralNames,
        Self::NamedTwice,
        Self::MixedScript,
        Self::ProvincialZone,
    ];

    /// Adds this change to a list, once.
    pub(super) fn note(self, changes: &mut Vec<Self>) {
        if !changes.contains(&self) {
            changes.push(self);
        }
    }

    /// In words, as stored in the roster.
    pub fn words(self) -> &'static str {
        match self {
            Self::FullWidth => "full-width characters",
            Self::WideSpaces => "unusual spaces",
            Self::Invisible => "invisible characters removed",
            Self::Quotes => "quotation marks removed",
            Self::Dashes => "dashes read as hyphens",
            Self::Backslashes => "backslashes read as slashes",
            Self::SchemeSpelling => "spelling of http:// corrected",
            Self::SchemeTwice => "repeated http:// removed",
            Self::UserInfo => "user name or password dropped",
            Self::Path => "path dropped",
            Self::TrailingDot => "trailing dot dropped",
            Self::UpperCase => "upper case",
            Self::Remark => "remark beside the name dropped",
            Self::SeveralNames => "several names in one cell",
            Self::NamedTwice => "the same name twice in one cell",
            Self::MixedScript => "scripts mixed in one label, look at this",
            Self::ProvincialZone => "a provincial education zone rather than a school, look at this",
        }
    }
}

/// Why a cell cannot be a public web site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Nothing is left of the name.
    Empty,
    /// An e-mail address.
    Email,
    /// `*.a.edu.cn`.
    Wildcard,
    /// A scheme other than HTTP.
    Scheme,
    /// An IP address, in any notation.
    Address,
    /// A name without a dot.
    SingleLabel,
    /// A public suffix such as `edu.cn`.
    Suffix,
    /// A name that is reserved for tests or private networks.
    Reserved,
    /// An underscore.
    Underscore,
    /// A label that begins or ends with a hyphen.
    Hyphen,
    /// Two dots in a row, or a leading dot.
    EmptyLabel,
    /// A label of more than 63 octets.
    LabelLength,
    /// A name of more than 253 octets.
    NameLength,
    /// Not a valid internationalised name (UTS 46).
    Idn,
    /// A character that no host name has.
    Character,
    /// Not a port number.
    Port,
    /// A separator fell into the middle of a name.
    Broken,
    /// More names than a cell may give.
    TooMany,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 18] = [
        Self::Empty,
        Self::Email,
        Self::Wildcard,
        Self::Scheme,
        Self::Address,
        Self::SingleLabel,
        Self::Suffix,
        Self::Reserved,
        Self::Underscore,
        Self::Hyphen,
        Self::EmptyLabel,
        Self::LabelLength,
        Self::NameLength,
        Self::Idn,
        Self::Character,
        Self::Port,
        Self::Broken,
        Self::TooMany,
    ];

    /// What is wrong.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Empty => "no host name",
            Self::Email => "an e-mail address, not a web site",
            Self::Wildcard => "a wildcard, not one host name",
            Self::Scheme => "neither http nor https",
            Self::Address => "an IP address, not a host name",
            Self::SingleLabel => "not a host name: it has no dot",
            Self::Suffix => "a public suffix, not a school's name",
            Self::Reserved => "reserved for tests or private networks",
            Self::Underscore => "underscores are not allowed in host names",
            Self::Hyphen => "a label begins or ends with a hyphen",
            Self::EmptyLabel => "two dots in a row, or a dot in front",
            Self::LabelLength => "a label is longer than 63 octets",
            Self::NameLength => "the name is longer than 253 octets",
            Self::Idn => "not a valid internationalised name",
            Self::Character => "a character that host names cannot have",
            Self::Port => "not a port number",
            Self::Broken => "a space or comma inside the name",
            Self::TooMany => "too many names in one cell",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Email | Self::Scheme => "give the address of the home page",
            Self::Wildcard => "give the host name of the home page, such as www",
            Self::Address => "give the site's domain name; IPv6 support is measured by name",
            Self::SingleLabel | Self::Suffix | Self::Empty => "give the full host name of the home page",
            Self::Reserved => "give the public name; reserved names only work in a lab",
            Self::Port => "give a port from 1 to 65535, or none",
            Self::Broken => "write the name in one piece",
            Self::TooMany => "give one row for each site",
            Self::Underscore
            | Self::Hyphen
            | Self::EmptyLabel
            | Self::LabelLength
            | Self::NameLength
            | Self::Idn
            | Self::Character => "check the spelling against the address bar of a browser",
        }
    }
}

/// English → Chinese, for every sentence that the roster may hold. An argument after `": "` is kept as it is.
const CHINESE: [(&str, &str); 78] = [
    ("full-width characters", "全角字符已转换"),
    ("unusual spaces", "特殊空格已处理"),
    ("invisible characters removed", "已去除不可见字符"),
    ("quotation marks removed", "已去除引号"),
    ("dashes read as hyphens", "破折号按连字符读取"),
    ("backslashes read as slashes", "反斜杠按斜杠读取"),
    ("spelling of http:// corrected", "已更正 http:// 的写法"),
    ("repeated http:// removed", "已去除重复的 http://"),
    ("user name or password dropped", "已去除用户名或密码"),
    ("path dropped", "已去除路径"),
    ("trailing dot dropped", "已去除末尾的点"),
    ("upper case", "大写已转为小写"),
    ("remark beside the name dropped", "已去除域名旁的说明文字"),
    ("several names in one cell", "一个单元格内有多个域名"),
    ("the same name twice in one cell", "同一单元格内域名重复"),
    ("scripts mixed in one label, look at this", "同一标签混用多种文字，请核对"),
    ("a provincial education zone rather than a school, look at this", "像是省级教育区域名而非学校域名，请核对"),
    ("no host name", "没有主机名"),
    ("an e-mail address, not a web site", "是电子邮箱，不是网站"),
    ("a wildcard, not one host name", "是泛域名，不是具体主机名"),
    ("neither http nor https", "不是 http 或 https 地址"),
    ("an IP address, not a host name", "是 IP 地址，不是域名"),
    ("not a host name: it has no dot", "不是域名：没有点号"),
    ("a public suffix, not a school's name", "是公共后缀，不是学校域名"),
    ("reserved for tests or private networks", "是测试或内部网络保留的名称"),
    ("underscores are not allowed in host names", "主机名中不允许下划线"),
    ("a label begins or ends with a hyphen", "标签以连字符开头或结尾"),
    ("two dots in a row, or a dot in front", "连续两个点，或以点开头"),
    ("a label is longer than 63 octets", "标签超过 63 个字节"),
    ("the name is longer than 253 octets", "域名超过 253 个字节"),
    ("not a valid internationalised name", "不是有效的国际化域名"),
    ("a character that host names cannot have", "含有域名不允许的字符"),
    ("not a port number", "端口号无效"),
    ("a space or comma inside the name", "域名中间有空格或逗号"),
    ("too many names in one cell", "一个单元格内域名过多"),
    ("give the address of the home page", "请填写网站首页地址"),
    ("give the host name of the home page, such as www", "请填写首页的主机名，例如 www 开头的域名"),
    ("give the site's domain name; IPv6 support is measured by name", "请填写域名；IPv6 支持情况按域名测量"),
    ("give the full host name of the home page", "请填写首页的完整域名"),
    ("give the public name; reserved names only work in a lab", "请填写公网域名；保留名称只能在模拟环境中使用"),
    ("give a port from 1 to 65535, or none", "请填写 1 至 65535 的端口，或不填"),
    ("write the name in one piece", "请把域名连续书写"),
    ("give one row for each site", "请每个网站单独一行"),
    ("check the spelling against the address bar of a browser", "请对照浏览器地址栏检查拼写"),
    ("the row is longer than 8 KiB", "该行超过 8 KiB"),
    ("a quotation mark is not closed", "引号没有闭合"),
    ("text after a closing quotation mark", "引号闭合后还有文字"),
    ("bytes that are not valid in the file's encoding", "含有不符合文件编码的字节"),
    ("the row contains NUL", "该行含有空字符（NUL）"),
    ("more columns than the header", "列数多于表头"),
    ("the row ends before the site's column", "该行在网站列之前就结束了"),
    ("names neither a school nor a usable site", "既没有学校名称，也没有可用的网站"),
    ("give the school's name", "请填写学校名称"),
    ("shorten the row; one row is one school", "请缩短该行；一行只写一所学校"),
    ("write \" as \"\" inside quotation marks, and close them", "引号内的 \" 请写作 \"\"，并闭合引号"),
    ("save the file again as UTF-8, or name its encoding", "请将文件另存为 UTF-8，或指定编码"),
    ("save the file again as CSV in UTF-8", "请将文件另存为 UTF-8 编码的 CSV"),
    ("put cells with separators in quotation marks", "含分隔符的单元格请加引号"),
    ("add the missing separators", "请补上缺少的分隔符"),
    ("fewer columns than the header", "列数少于表头"),
    ("name cleaned of control characters", "名称中的控制字符已去除"),
    ("name cut to 200 characters", "名称截短为 200 个字符"),
    ("the school is named by its site", "没有学校名称，以域名代替"),
    ("the school is named by its code", "没有学校名称，以学校标识码代替"),
    ("not a school code, left out", "学校标识码无效，未采用"),
    ("category taken from the school's name", "类别由学校名称推断"),
    ("unknown category", "未知类别"),
    ("unknown status, read as listed", "未知状态，按正常处理"),
    ("unknown role, left to the order of the rows", "未知角色，按行的先后处理"),
    ("unknown region code", "未知行政区划代码"),
    ("unknown region", "未知地区"),
    ("the county is not in the region, county left out", "县区不属于该地区，县区未采用"),
    ("region read from a longer or shorter code", "地区由加长或缩短的代码得出"),
    ("another site of the school, read as a service", "该校的另一个网站，按业务系统处理"),
    ("the same school with other facts, first kept", "同一学校信息不一致，以先出现的为准"),
    ("opted out", "不参与"),
    ("site not used", "网站未采用"),
    ("region taken from the county", "地区由县区得出"),
];

/// The Chinese for a sentence of the roster; the sentence itself where there is none.
pub fn in_chinese(words: &str) -> String {
    let find = |english: &str| CHINESE.iter().find(|(known, _)| *known == english).map(|(_, chinese)| *chinese);
    if let Some(chinese) = find(words) {
        return chinese.to_owned();
    }
    match words.split_once(": ") {
        Some((sentence, argument)) => {
            find(sentence).map_or_else(|| words.to_owned(), |chinese| format!("{chinese}：{}", in_chinese(argument)))
        }
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_has_a_chinese_one() {
        let known = |words: &str| CHINESE.iter().any(|(english, _)| *english == words);
        for change in Change::ALL {
            assert!(known(change.words()), "{change:?}");
        }
        for fault in Fault::ALL {
            assert!(known(fault.reason()) && known(fault.remedy()), "{fault:?}");
        }
    }

    #[test]
    fn arguments_stay() {
        assert_eq!(in_chinese("unknown region code: 419999"), "未知行政区划代码：419999");
        assert_eq!(in_chinese("site not used: not a port number"), "网站未采用：端口号无效");
        assert_eq!(in_chinese("something else"), "something else");
    }
}
