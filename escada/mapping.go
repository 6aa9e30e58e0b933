package escada

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// table holds the rows that other files refer to, of those fields that they need.
type table struct {
	titles  []string       // of cells
	index   map[string]int // folded title -> cell
	rows    map[string][]string
	dropped map[string]bool // keys of rows that conditions did not keep
}

// ref is a field of a row, or of a row of a table that it refers to.
type ref struct {
	join  int // in mapping.joins; -1: the row itself
	field int
}

// mapping makes the texts of columns from the fields of a row, in files where
// they are not simply fields.
type mapping struct {
	joins   []joined
	roles   map[string]schoolmail.Role // by folded code
	where   []boundCondition
	columns []boundField
	current [][]string // rows of the joined tables
	texts   [len(allColumns)][]byte
	schools [][]byte
	classes [][]byte
	scratch []byte
}

type joined struct {
	name  string
	table *table
	key   ref
}

type boundCondition struct {
	ref
	*condition
}

type boundField struct {
	column int
	refs   []ref
	spec   Field
	values map[string]string
	fixed  []byte // constant, or part of the file's name
}

func (m *mapping) text(r ref, fields [][]byte) []byte {
	if r.join < 0 {
		return trim(fields[r.field])
	}
	return []byte(m.current[r.join][r.field])
}

// verdict is what the conditions and references of a row say.
type verdict uint8

const (
	rowKept verdict = iota
	rowFiltered
	rowDangling // it refers to a row that is not there
)

// take looks at a row and prepares the texts of its columns.
func (m *mapping) take(fields [][]byte) (verdict, string) {
	missing := ""
	for i, j := range m.joins {
		key := trim(fields[j.key.field])
		row, ok := j.table.rows[string(key)]
		switch {
		case ok:
			m.current[i] = row
		case j.table.dropped[string(key)]:
			return rowFiltered, ""
		default:
			missing = j.name
			m.current[i] = make([]string, len(j.table.titles))
		}
	}
	m.scratch = m.scratch[:0]
	role := schoolmail.Role("")
	for _, c := range m.where {
		if missing != "" && c.join >= 0 {
			continue
		}
		if c.Roles != nil && role == "" {
			if role = m.role(fields); role == "" {
				continue // the row is rejected for it
			}
		}
		if (c.Roles == nil || slices.Contains(c.Roles, role)) && !c.holds(m.text(c.ref, fields)) {
			return rowFiltered, ""
		}
	}
	for i := range m.columns {
		m.compute(&m.columns[i], fields)
	}
	if missing != "" {
		return rowDangling, missing
	}
	return rowKept, ""
}

// role is that of the row's person, or nothing if it is none.
func (m *mapping) role(fields [][]byte) schoolmail.Role {
	for i := range m.columns {
		if m.columns[i].column == numRole {
			m.compute(&m.columns[i], fields)
		}
	}
	return m.roles[foldCode(string(m.texts[numRole]))]
}

// compute makes the text of one column.
func (m *mapping) compute(f *boundField, fields [][]byte) {
	text := f.fixed
	if f.fixed == nil && len(f.refs) > 0 {
		text = m.text(f.refs[0], fields)
	}
	if len(f.refs) > 1 {
		text = m.joinTexts(f, fields)
	}
	if f.spec.Split != "" {
		text = part(text, f.spec.Split, f.spec.Part)
	}
	var list [][]byte
	if f.spec.List != "" {
		for _, x := range bytes.Split(text, []byte(f.spec.List)) {
			if x = trim(x); len(x) > 0 {
				list = append(list, f.value(x))
			}
		}
		if text = nil; len(list) > 0 {
			text = list[0]
		}
	} else if text = f.value(text); len(text) > 0 {
		list = append(list, text)
	}
	switch m.texts[f.column] = text; f.column {
	case numSchool:
		m.schools = list
	case numClass:
		m.classes = list
	}
}

func (m *mapping) joinTexts(f *boundField, fields [][]byte) []byte {
	with := f.spec.With
	if with == "" {
		with = " "
	}
	from := len(m.scratch)
	for _, r := range f.refs {
		text := m.text(r, fields)
		if len(text) == 0 {
			continue
		}
		if len(m.scratch) > from {
			m.scratch = append(m.scratch, with...)
		}
		m.scratch = append(m.scratch, text...)
	}
	return m.scratch[from:len(m.scratch):len(m.scratch)]
}

func (f *boundField) value(text []byte) []byte {
	if f.values != nil {
		if v, ok := f.values[foldCode(string(text))]; ok {
			return []byte(v)
		}
	}
	return text
}

// part is a part of a text, from 1, or -1 for the last; nothing if there are fewer.
func part(text []byte, sep string, n int) []byte {
	parts := bytes.Split(text, []byte(sep))
	if n < 0 {
		n = len(parts) + n + 1
	}
	if n < 1 || n > len(parts) {
		return nil
	}
	return trim(parts[n-1])
}

// places calls yield for each place that a row names: schools times classes,
// without classes that belong to another school by their prefix.
func (m *mapping) places(l *layout, yield func()) {
	schools, classes := m.schools, m.classes
	if len(schools) == 0 {
		schools = [][]byte{nil}
	}
	for _, school := range schools {
		m.texts[numSchool] = school
		told := false
		for _, class := range classes {
			if own, ok := classAt(l, class, school, schools); ok {
				m.texts[numClass] = own
				told = true
				yield()
			}
		}
		if !told {
			m.texts[numClass] = nil
			yield()
		}
	}
}

// classAt drops the prefix of a class and reports whether it is at the school. A
// class without a prefix is at the first school.
func classAt(l *layout, class, school []byte, schools [][]byte) ([]byte, bool) {
	before, after, perSchool := strings.Cut(l.ClassPrefix, "{school}")
	if !perSchool {
		return bytes.TrimPrefix(class, []byte(l.ClassPrefix)), true
	}
	for _, s := range schools {
		prefix := before + string(s) + after
		if rest, ok := bytes.CutPrefix(class, []byte(prefix)); ok {
			return rest, bytes.Equal(s, school)
		}
	}
	return class, bytes.Equal(schools[0], school)
}

// binder finds the fields that a mapping needs by their titles.
type binder struct {
	own     map[string]int // folded title -> field
	tables  map[string]*table
	m       *mapping
	missing []string
}

// bind makes the mapping of a file with these titles.
func (f *fileLayout) bind(name string, titles []string, tables map[string]*table) (*mapping, []string) {
	b := &binder{own: map[string]int{}, tables: tables, m: &mapping{}}
	for i, t := range titles {
		if _, ok := b.own[foldPath(t)]; !ok {
			b.own[foldPath(t)] = i
		}
	}
	for _, table := range sortedKeys(f.Join) {
		if r, ok := b.ref(f.Join[table], false); ok {
			b.m.joins = append(b.m.joins, joined{table, tables[table], r})
		}
	}
	b.m.current = make([][]string, len(b.m.joins))
	for i := range f.where {
		if r, ok := b.ref(f.where[i].Title, f.where[i].Optional); ok {
			b.m.where = append(b.m.where, boundCondition{r, &f.where[i]})
		}
	}
	for i, column := range allColumns {
		if spec, ok := f.Fields[column]; ok {
			b.field(f, i, spec, name)
		}
	}
	return b.m, b.missing
}

func (b *binder) field(f *fileLayout, column int, spec Field, name string) {
	x := boundField{column: column, spec: spec, values: f.values[allColumns[column]]}
	switch {
	case spec.Constant != "":
		x.fixed = []byte(spec.Constant)
	case spec.FileName != "":
		x.fixed = []byte{}
		if m := f.names[allColumns[column]].FindStringSubmatch(path.Base(name)); len(m) > 1 {
			x.fixed = []byte(m[1])
		}
	default:
		for _, title := range append([]string{spec.Title}, spec.Join...) {
			if r, ok := b.ref(title, spec.Optional); ok {
				x.refs = append(x.refs, r)
			}
		}
		if len(x.refs) == 0 {
			return
		}
	}
	b.m.columns = append(b.m.columns, x)
}

// ref finds a title; "table.title" is one of a joined table.
func (b *binder) ref(title string, optional bool) (ref, bool) {
	if name, rest, ok := strings.Cut(title, "."); ok {
		for i, j := range b.m.joins {
			if j.name != name {
				continue
			}
			if n, ok := j.table.index[foldPath(rest)]; ok {
				return ref{i, n}, true
			}
			return ref{}, false // the table's file has been told of it
		}
	}
	if n, ok := b.own[foldPath(title)]; ok {
		return ref{-1, n}, true
	}
	if !optional {
		b.missing = append(b.missing, strconv.Quote(title))
	}
	return ref{}, false
}

// foldPath makes titles and XML paths comparable.
func foldPath(s string) string {
	if !strings.ContainsAny(s, "/@") {
		return foldTitle(s)
	}
	parts := strings.Split(s, "/")
	for i, p := range parts {
		parts[i] = foldTitle(p)
		if strings.HasPrefix(p, "@") {
			parts[i] = "@" + parts[i]
		}
	}
	return strings.Join(parts, "/")
}

// needs lists the titles of a table that files refer to.
func (l *layout) needs(table string) []string {
	var titles []string
	add := func(title string) {
		if rest, ok := strings.CutPrefix(title, table+"."); ok {
			titles = append(titles, rest)
		}
	}
	for _, f := range l.Layout {
		if _, ok := f.Join[table]; !ok {
			continue
		}
		for _, c := range append(f.Where, l.Where...) {
			add(c.Title)
		}
		for _, column := range sortedKeys(f.Fields) {
			add(f.Fields[column].Title)
			for _, title := range f.Fields[column].Join {
				add(title)
			}
		}
	}
	return titles
}

// wanted lists the titles of its own rows that a file's layout names: what is
// taken from XML.
func (f *fileLayout) wanted(l *layout) []string {
	var titles []string
	add := func(title string) {
		if name, _, ok := strings.Cut(title, "."); ok {
			if _, joins := f.Join[name]; joins {
				return
			}
		}
		if title != "" {
			titles = append(titles, title)
		}
	}
	for _, k := range f.Key {
		add(k)
	}
	for _, table := range sortedKeys(f.Join) {
		add(f.Join[table])
	}
	for _, c := range f.where {
		add(c.Title)
	}
	for _, column := range sortedKeys(f.Fields) {
		add(f.Fields[column].Title)
		for _, title := range f.Fields[column].Join {
			add(title)
		}
	}
	if f.Table != "" {
		titles = append(titles, l.needs(f.Table)...)
	}
	return titles
}

// danglingFault is told of a row that refers to one that is not there.
func danglingFault(table string) fault {
	return fault{"", schoolmail.RejectedReference,
		"refers to a row of " + strconv.Quote(table) + " that is not there: expected all files of one export", false}
}
