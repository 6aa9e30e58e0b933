package escada

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail"
)

func (p *Profile) Validate() error {
	_, err := p.compile()
	return err
}

type layout struct {
	Profile
	titles  map[string]Column // folded title -> column
	roles   map[string]schoolmail.Role
	levels  map[string]schoolmail.SchoolLevel
	schools map[string]schoolmail.SchoolID // folded code -> school
	dates   []dateFormat
	quoting quoting
	files   []*fileLayout
	key     []byte // for identity material; nil: it is not looked at
}

func (p *Profile) compile() (*layout, error) {
	l := &layout{
		titles: map[string]Column{}, roles: map[string]schoolmail.Role{}, levels: map[string]schoolmail.SchoolLevel{},
		schools: map[string]schoolmail.SchoolID{},
	}
	var own map[Column][]string
	if p != nil {
		l.Profile, own = *p, p.Columns
	}
	var errs Errors
	bad := func(format string, args ...any) { errs.add(schoolmail.Position{}, ErrProfile, format, args...) }
	l.compileText(bad)
	l.compileTitles(own, bad)
	l.compileValues(bad)
	l.compileFiles(bad)
	l.compileLayout(bad)
	return l, errs.err()
}

func (l *layout) compileText(bad func(string, ...any)) {
	if l.Source == "" {
		l.Source = "escada"
	}
	if !validID(l.Source) {
		bad("source: expected 1 to 64 ASCII characters without spaces")
	}
	if l.Delimiter == 0 {
		l.Delimiter = ';'
	}
	if d := l.Delimiter; d >= utf8.RuneSelf || d == '"' || d < ' ' && d != '\t' || isAlnum(byte(d)) {
		bad("delimiter %q: expected an ASCII punctuation character or a tab, not a quote", d)
	}
	if l.Encoding == "" {
		l.Encoding = EncodingAuto
	}
	if !slices.Contains(Encodings(), l.Encoding) {
		bad("encoding %q: expected one of %q", l.Encoding, Encodings())
	}
	switch l.Quoting {
	case "", QuotingRFC4180:
	case QuotingBackslash:
		l.quoting = quotingBackslash
	case QuotingNone:
		l.quoting = quotingNone
	default:
		bad("quoting %q: expected %q, %q or %q", l.Quoting, QuotingRFC4180, QuotingBackslash, QuotingNone)
	}
	if l.Format == "" {
		l.Format = FormatCSV
	}
	if l.Format != FormatCSV && l.Format != FormatXML {
		bad("format %q: expected %q or %q", l.Format, FormatCSV, FormatXML)
	}
	if l.BOM && l.Encoding != EncodingAuto && l.Encoding != EncodingUTF8 {
		bad("byte order mark: not possible with encoding %q", l.Encoding)
	}
}

func (l *layout) compileTitles(own map[Column][]string, bad func(string, ...any)) {
	for c := range own {
		if !slices.Contains(allColumns[:], c) {
			bad("columns: unknown column %q, expected one of %q", c, allColumns)
		}
	}
	l.Columns = map[Column][]string{}
	for _, mine := range []bool{true, false} {
		for _, c := range allColumns {
			if mine != (len(own[c]) > 0) {
				continue
			}
			l.Columns[c] = defaultTitles[c]
			if mine {
				l.Columns[c] = own[c]
			}
			l.addTitles(c, mine, bad)
		}
	}
	for _, c := range l.Optional {
		if !slices.Contains(allColumns[:], c) {
			bad("optional: unknown column %q, expected one of %q", c, allColumns)
		} else if slices.Contains(mandatory, c) {
			bad("optional: column %q cannot be optional", c)
		}
	}
}

func (l *layout) addTitles(c Column, mine bool, bad func(string, ...any)) {
	for _, title := range l.Columns[c] {
		f := foldTitle(title)
		switch other, taken := l.titles[f]; {
		case f == "":
			bad("columns: title %q of %q has no letter or digit", title, c)
		case taken && mine && other != c:
			bad("columns: title %q stands for both %q and %q", title, other, c)
		case !taken:
			l.titles[f] = c
		}
	}
}

func (l *layout) compileValues(bad func(string, ...any)) {
	if l.DateFormat == "" {
		l.DateFormat = "dd.mm.yyyy"
	}
	for _, format := range append([]string{l.DateFormat}, l.DateFormats...) {
		f, ok := parseDateFormat(format)
		if !ok || strings.ContainsRune(format, l.Delimiter) {
			bad("date format %q: expected dd, mm and yyyy once each with punctuation between, such as \"dd.mm.yyyy\"", format)
		}
		l.dates = append(l.dates, f)
	}
	if l.Roles == nil {
		l.Roles = defaultRoles
	}
	for _, r := range sortedKeys(l.Roles) {
		if !r.Valid() {
			bad("roles: unknown role %q", r)
		}
		addCodes(l.roles, r, l.Roles[r], "roles", bad)
	}
	if l.Levels == nil {
		l.Levels = defaultLevels
	}
	for _, v := range sortedKeys(l.Levels) {
		if v == "" {
			bad("levels: a level without name")
		}
		addCodes(l.levels, v, l.Levels[v], "levels", bad)
	}
	for _, r := range l.PreferRoles {
		if !r.Valid() {
			bad("prefer_roles: unknown role %q", r)
		}
	}
	for code, school := range l.Schools {
		if !validSchool(string(school)) {
			bad("schools: %q is no code of a school: expected ASCII letters, digits, - and _", school)
		}
		l.schools[foldCode(code)] = school
	}
}

func (l *layout) compileFiles(bad func(string, ...any)) {
	if len(l.Files) == 0 && l.Layout != nil {
		for _, f := range l.Layout {
			l.Files = append(l.Files, f.Match...)
		}
		slices.Sort(l.Files)
		l.Files = slices.Compact(l.Files)
	}
	if len(l.Files) == 0 {
		l.Files = []string{"*.csv", "*.txt"}
		if l.Format == FormatXML {
			l.Files = []string{"*.xml"}
		}
	}
	if l.Checksums == nil {
		l.Checksums = []string{"SHA256SUMS", "*.sha256"}
	}
	for _, pattern := range slices.Concat(l.Files, l.DeltaFiles, l.RequiredFiles, l.Checksums, l.Ignore) {
		if _, err := path.Match(strings.ToLower(pattern), "x"); err != nil {
			bad("pattern %q: %v", pattern, err)
		}
	}
	if _, isTitle := l.titles[foldTitle(l.Trailer)]; isTitle || l.Trailer != strings.TrimSpace(l.Trailer) {
		bad("trailer %q: expected a text without spaces around that is no column title", l.Trailer)
	}
}

func addCodes[T ~string](codes map[string]T, value T, texts []string, what string, bad func(string, ...any)) {
	if len(texts) == 0 {
		bad("%s: no code for %q", what, value)
	}
	for _, text := range texts {
		f := foldCode(text)
		if f == "" {
			bad("%s: empty code for %q", what, value)
		} else if other, taken := codes[f]; taken && other != value {
			bad("%s: code %q stands for both %q and %q", what, text, other, value)
		}
		codes[f] = value
	}
}

func matchAny(patterns []string, name string) bool {
	base := strings.ToLower(path.Base(name))
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(strings.ToLower(p), base)
		return ok
	})
}
