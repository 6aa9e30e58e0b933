package escada

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// otherTitles are titles of other systems, beside the default ones.
var otherTitles = map[string]Column{
	"sourcedid": ColumnID, "studentid": ColumnID, "schuelerid": ColumnID, "schülerid": ColumnID, "userid": ColumnID,
	"recorduid": ColumnID, "matricule": ColumnID, "externalid": ColumnID, "eindeutigenummer": ColumnID,
	"internekennung": ColumnID,
	"typ":            ColumnRole, "type": ColumnRole, "role": ColumnRole, "benutzertyp": ColumnRole, "status": ColumnRole,
	"familyname": ColumnFamilyName, "lastname": ColumnFamilyName, "surname": ColumnFamilyName, "zuname": ColumnFamilyName,
	"givenname": ColumnGivenName, "firstname": ColumnGivenName, "forename": ColumnGivenName,
	"schulen": ColumnSchool, "school": ColumnSchool, "schools": ColumnSchool, "schulnummer": ColumnSchool,
	"ou":    ColumnSchool,
	"grade": ColumnLevel, "grades": ColumnLevel, "jahrgang": ColumnLevel, "level": ColumnLevel,
	"klassen": ColumnClass, "class": ColumnClass, "classes": ColumnClass, "klassenname": ColumnClass,
	"begindate": ColumnFrom, "startdate": ColumnFrom, "eintrittsdatum": ColumnFrom,
	"enddate": ColumnUntil, "austrittsdatum": ColumnUntil,
	"mail": ColumnNoticeMail, "email": ColumnNoticeMail, "mailadresse": ColumnNoticeMail,
	"phone": ColumnPhone, "telefonnummer": ColumnPhone, "language": ColumnLanguage,
	"ahvnr13": ColumnNumber, "ssn": ColumnNumber, "vn": ColumnNumber, "birthdate": ColumnBirthDate,
	"birthday": ColumnBirthDate,
}

// guess says of each column what it seems to be: by its title, else by what
// stands in it.
func (x *sampler) guess() {
	l, err := (*Profile)(nil).compile()
	if err != nil {
		return
	}
	taken := map[Column]bool{}
	set := func(i int, c Column, why string) {
		if taken[c] || x.file.Columns[i].Column != "" {
			return
		}
		taken[c] = true
		x.file.Columns[i].Column, x.file.Columns[i].Why = c, why
	}
	for i := range x.file.Columns {
		if c, ok := l.titles[foldTitle(x.columns[i].title)]; ok && x.file.Header {
			set(i, c, "by its title")
		}
	}
	for i := range x.file.Columns {
		if c, ok := otherTitles[foldTitle(x.columns[i].title)]; ok && x.file.Header {
			set(i, c, "by its title, as other systems have it")
		}
	}
	x.guessContents(l, set)
	for i := range x.file.Columns {
		d, c := &x.file.Columns[i], x.columns[i]
		if (d.Column == ColumnRole || d.Column == ColumnLevel) && d.Distinct <= codesMax {
			d.Codes = c.texts
		}
		if d.Column == ColumnID && d.Distinct > 0 {
			x.file.RowsPerPerson = float64(x.rows-x.file.Broken-d.Empty) / float64(d.Distinct)
		}
	}
}

// guessContents is for what titles do not tell.
func (x *sampler) guessContents(l *layout, set func(int, Column, string)) {
	rows := x.rows - x.file.Broken
	codes := func(c *columnSample, known func(string) bool) bool {
		if len(c.texts) == 0 || len(c.texts) > codesMax || c.empty > rows/2 {
			return false
		}
		for text := range c.texts {
			if !known(foldCode(text)) {
				return false
			}
		}
		return true
	}
	for i, c := range x.columns {
		d := &x.file.Columns[i]
		switch {
		case codes(c, func(t string) bool { return l.roles[t] != "" }) && len(c.texts) > 1:
			set(i, ColumnRole, "all its texts are codes of roles")
		case codes(c, func(t string) bool { return l.levels[t] != "" }):
			set(i, ColumnLevel, "all its texts are codes of levels")
		case codes(c, func(t string) bool { return languageCodes[t] != "" }):
			set(i, ColumnLanguage, "all its texts are languages")
		case d.Unique && c.idLike && c.mail == 0 && d.Dates == "":
			set(i, ColumnID, "each row has its own text")
		}
	}
}

// conclude makes the profile: a starter that fits, else one of what was found.
func (d *Description) conclude() {
	for _, name := range Starters() {
		p, err := Starter(name)
		if err != nil || p.Layout == nil {
			continue
		}
		if fits(p, d.Files) {
			d.Starter, d.Profile = name, p
			d.Reasons = append(d.Reasons, fmt.Sprintf("names and titles of the files are those of %s", p.Follows))
			d.openOfStarter()
			return
		}
	}
	d.Profile = &Profile{}
	for i := range d.Files {
		if f := &d.Files[i]; f.Delimiter == 0 {
			d.Open = append(d.Open, fmt.Sprintf("%s is XML, with elements %s: write a [[file]] with the element "+
				"of a person and paths",
				f.Name, strings.Join(f.Elements, ", ")))
		} else if i == 0 {
			d.profileOf(f)
		}
	}
	d.sameShape()
}

// fits reports whether the files have what a profile's layout names.
func fits(p *Profile, files []FileDescription) bool {
	l, err := p.compile()
	if err != nil {
		return false
	}
	tables := map[string]*table{}
	for _, f := range l.files {
		tables[f.Table] = &table{}
	}
	used := 0
	for _, f := range l.files {
		found := false
		for i := range files {
			if !matchAny(f.Match, files[i].Name) {
				continue
			}
			found = true
			if f.Element != "" {
				if !slices.Contains(files[i].Elements, f.Element) {
					return false
				}
				used++
				continue
			}
			var titles []string
			for _, c := range files[i].Columns {
				titles = append(titles, c.Title)
			}
			if _, missing := f.bind(files[i].Name, titles, tables); len(missing) > 0 {
				return false
			}
			used++
		}
		if !found && !f.Optional {
			return false
		}
	}
	return used > 0
}

// openOfStarter tells what a starter leaves to the district.
func (d *Description) openOfStarter() {
	if len(d.Profile.Schools) == 0 {
		d.Open = append(d.Open, "[schools]: give the directory's code for each code of a school that is another one")
	}
	if strings.HasPrefix(d.Starter, "ucs") {
		d.Open = append(d.Open, "[school_levels]: the files have no levels")
	}
}

// profileOf fills the profile from one file.
func (d *Description) profileOf(f *FileDescription) {
	p := d.Profile
	p.Source, p.Delimiter, p.Encoding = "escada", f.Delimiter, f.Encoding
	d.reason("encoding %s, delimiter %q", f.Encoding, f.Delimiter)
	l, err := (*Profile)(nil).compile()
	if err != nil {
		return
	}
	p.Columns = map[Column][]string{}
	have := map[Column]*ColumnDescription{}
	for i := range f.Columns {
		c := &f.Columns[i]
		if c.Column == "" {
			continue
		}
		have[c.Column] = c
		if l.titles[foldTitle(c.Title)] != c.Column {
			p.Columns[c.Column] = []string{c.Title}
		}
		if c.Dates != "" && p.DateFormat == "" && (c.Column == ColumnFrom || c.Column == ColumnUntil ||
			c.Column == ColumnBirthDate) {
			p.DateFormat = c.Dates
			d.reason("dates as %s, as in %q", c.Dates, c.Title)
		}
	}
	for _, c := range written {
		switch {
		case have[c] != nil:
			d.reason("%q is the %s, %s", have[c].Title, c, have[c].Why)
		case slices.Contains(mandatory, c):
			d.open("no column seems to be the %s: name it under [columns], or give a constant in a [[file]]", c)
		default:
			p.Optional = append(p.Optional, c)
		}
	}
	if !f.Header {
		d.positions(f, have)
	}
	if class := have[ColumnClass]; class == nil || class.Empty > 0 {
		p.ClassOptional = class == nil
	}
	d.codes(have[ColumnRole], have[ColumnLevel], l)
	if f.Broken > 0 {
		d.open("%d of %d rows have another number of fields than most", f.Broken, f.Rows)
	}
	if f.RowsPerPerson > 0 {
		d.reason("%.2f rows a person", f.RowsPerPerson)
	}
}

// positions makes a layout of a file without header.
func (d *Description) positions(f *FileDescription, have map[Column]*ColumnDescription) {
	file := File{Match: []string{"*" + path.Ext(f.Name)}, Fields: map[Column]Field{}}
	for _, c := range f.Columns {
		file.Titles = append(file.Titles, c.Title)
	}
	for column, c := range have {
		file.Fields[column] = Field{Title: c.Title}
	}
	d.Profile.Columns, d.Profile.Optional = nil, nil
	d.Profile.Layout = []File{file}
	d.reason("the first row is no header: fields by position")
}

// codes sets roles and levels that are not the usual ones.
func (d *Description) codes(role, level *ColumnDescription, l *layout) {
	if role != nil {
		for _, code := range sortedKeys(role.Codes) {
			if l.roles[foldCode(code)] == "" {
				d.open("[roles]: which role is the code %q (%d rows)?", code, role.Codes[code])
			}
		}
	}
	if level == nil {
		d.open("no column seems to be the level: name the levels of schools under [school_levels]")
		return
	}
	for _, code := range sortedKeys(level.Codes) {
		if l.levels[foldCode(code)] == "" {
			d.open("[levels]: which level is the code %q (%d rows)?", code, level.Codes[code])
		}
	}
}

// sameShape tells of files that are not like the first one.
func (d *Description) sameShape() {
	for i := 1; i < len(d.Files); i++ {
		a, b := &d.Files[0], &d.Files[i]
		same := slices.EqualFunc(a.Columns, b.Columns,
			func(x, y ColumnDescription) bool { return foldTitle(x.Title) == foldTitle(y.Title) })
		if !same {
			d.open("%s has other columns than %s: write a [[file]] for each sort", b.Name, a.Name)
		}
	}
}

func (d *Description) reason(format string, args ...any) {
	d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
}

func (d *Description) open(format string, args ...any) {
	d.Open = append(d.Open, fmt.Sprintf(format, args...))
}

// Text returns the description for people, the profile as TOML at its end.
func (d *Description) Text() (string, error) {
	var b strings.Builder
	for i := range d.Files {
		f := &d.Files[i]
		if f.Delimiter == 0 {
			fmt.Fprintf(&b, "%s: XML, elements %s\n\n", f.Name, strings.Join(f.Elements, ", "))
			continue
		}
		fmt.Fprintf(&b, "%s: %s, delimiter %q, %s, %d rows looked at", f.Name, f.Encoding, f.Delimiter,
			map[bool]string{true: "with header", false: "without header"}[f.Header], f.Rows)
		if f.RowsPerPerson > 0 {
			fmt.Fprintf(&b, ", %.2f a person", f.RowsPerPerson)
		}
		b.WriteString("\n")
		for _, c := range f.Columns {
			b.WriteString(c.line(f.Rows))
		}
		b.WriteString("\n")
	}
	text, err := d.ProfileText()
	return b.String() + string(text), err
}

// line is one column in words.
func (c *ColumnDescription) line(rows int) string {
	var notes []string
	if c.Column != "" {
		notes = append(notes, string(c.Column)+" ("+c.Why+")")
	}
	if rows > 0 {
		notes = append(notes, fmt.Sprintf("%d %% empty", 100*c.Empty/rows))
	}
	if c.Unique {
		notes = append(notes, "unique")
	} else {
		notes = append(notes, fmt.Sprintf("%d different", c.Distinct))
	}
	if c.Dates != "" {
		notes = append(notes, "dates as "+c.Dates)
	}
	if c.List != "" {
		notes = append(notes, fmt.Sprintf("lists with %q", c.List))
	}
	for _, code := range sortedKeys(c.Codes) {
		notes = append(notes, fmt.Sprintf("%q %d times", code, c.Codes[code]))
	}
	for _, e := range c.Examples {
		notes = append(notes, fmt.Sprintf("as in %q", e))
	}
	return fmt.Sprintf("  %-20s %s\n", c.Title, strings.Join(notes, ", "))
}

// ProfileText returns the profile as TOML, with reasons and what is open as remarks.
func (d *Description) ProfileText() ([]byte, error) {
	var b strings.Builder
	for _, r := range d.Reasons {
		b.WriteString("# " + r + "\n")
	}
	for _, o := range d.Open {
		b.WriteString("# OPEN: " + o + "\n")
	}
	if d.Starter != "" {
		text, err := StarterText(d.Starter)
		return append([]byte(b.String()), text...), err
	}
	text, err := d.Profile.TOML()
	return append([]byte(b.String()), text...), err
}
