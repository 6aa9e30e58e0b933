package escada

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// File is a sort of file of an export: either rows of people, or a table that
// other files refer to, such as the names of classes. A file may be both, by two
// entries. Tables are held in memory.
type File struct {
	// Match are patterns of the names of these files, as Profile.Files.
	Match []string `toml:"match,omitempty"`
	// Table is the name under which other files refer to the rows, and Key the
	// titles that identify one.
	Table string   `toml:"table,omitempty"`
	Key   []string `toml:"key,omitempty"`
	// Element is the name of the XML element of a row. Titles then are paths of
	// elements below it, "name/family", or of attributes, "name/@lang".
	Element string `toml:"element,omitempty"`
	// Titles are those of files without a header, by position.
	Titles []string `toml:"titles,omitempty"`
	// Join gives tables and the title that holds the key of their rows. Titles
	// of a joined table are "table.title".
	Join map[string]string `toml:"join,omitempty"`
	// Where keeps rows only that fulfil all conditions. A row that refers to a
	// row of a table that was not kept is not kept either.
	Where []Condition `toml:"where,omitempty"`
	// Optional says that an export may lack these files.
	Optional bool `toml:"optional,omitempty"`
	// Fields says where the columns come from. Those that are not in it are
	// not in these files, except where that is a mistake: id, role, names and
	// school must be there.
	Fields map[Column]Field `toml:"fields,omitempty"`
}

// Field says where the text of a column comes from.
type Field struct {
	// Title is that of the field. Join are further ones whose texts follow,
	// With between the ones that are not empty; default a space.
	Title string   `toml:"title,omitempty"`
	Join  []string `toml:"join,omitempty"`
	With  string   `toml:"with,omitempty"`
	// Split cuts the text; Part is the part to take, from 1, -1 the last.
	Split string `toml:"split,omitempty"`
	Part  int    `toml:"part,omitempty"`
	// List separates several values within the field. For school and class
	// each makes a place; of other columns the first is taken.
	List string `toml:"list,omitempty"`
	// Constant is the text for all rows of these files.
	Constant string `toml:"constant,omitempty"`
	// FileName is a regular expression whose first group is the text in the
	// name of the file.
	FileName string `toml:"file_name,omitempty"`
	// Values maps texts (without regard to case) before anything else is made of them.
	Values map[string]string `toml:"values,omitempty"`
	// Optional says that the files may lack the title.
	Optional bool `toml:"optional,omitempty"`
}

// Condition is about the text of one title. In and NotIn compare without regard
// to case; Matches is a regular expression.
type Condition struct {
	Title    string   `toml:"title"`
	In       []string `toml:"in,omitempty"`
	NotIn    []string `toml:"not_in,omitempty"`
	Matches  string   `toml:"matches,omitempty"`
	Optional bool     `toml:"optional,omitempty"` // files may lack the title; the condition is fulfilled then
	// Roles are those of the people whose rows must fulfil the condition; nil: all.
	// So pupils below the third grade can be left out, and their teachers not.
	Roles []schoolmail.Role `toml:"roles,omitempty"`
}

// fileLayout is a File made ready for use.
type fileLayout struct {
	File
	where  []condition
	names  map[Column]*regexp.Regexp // of Field.FileName
	values map[Column]map[string]string
	// simple says that all fields are taken as they are.
	simple bool
}

type condition struct {
	Condition
	in, notIn map[string]bool
	matches   *regexp.Regexp
}

func (c *condition) holds(text []byte) bool {
	if c.in == nil && c.notIn == nil {
		return c.matches == nil || c.matches.Match(text)
	}
	code := foldCode(string(text))
	return (c.in == nil || c.in[code]) && !c.notIn[code] && (c.matches == nil || c.matches.Match(text))
}

// compileLayout checks the sorts of files. An export without is one of them.
func (l *layout) compileLayout(bad func(string, ...any)) {
	if l.Layout == nil {
		f := &fileLayout{simple: true}
		f.where = compileConditions(l.Where, "where", bad)
		l.files = []*fileLayout{f}
		return
	}
	tables := map[string]bool{}
	people := 0
	for _, f := range l.Layout {
		if f.Table == "" {
			people++
		} else if tables[f.Table] {
			bad("file: table %q twice", f.Table)
		}
		tables[f.Table] = true
	}
	if people == 0 {
		bad("file: expected one with people, that is without a table")
	}
	for _, f := range l.Layout {
		l.files = append(l.files, l.compileFile(f, tables, bad))
	}
}

func (l *layout) compileFile(f File, tables map[string]bool, bad func(string, ...any)) *fileLayout {
	c := &fileLayout{File: f, names: map[Column]*regexp.Regexp{}, values: map[Column]map[string]string{}}
	name := strings.Join(f.Match, ", ")
	if len(f.Match) == 0 {
		bad("file: expected patterns of names in match")
	}
	for _, pattern := range f.Match {
		if _, err := path.Match(strings.ToLower(pattern), "x"); err != nil {
			bad("file %s: %v", name, err)
		}
	}
	if (l.Format == FormatXML) != (f.Element != "") {
		bad("file %s: element: needed for XML files, and only for them", name)
	}
	if f.Table != "" && len(f.Key) == 0 {
		bad("file %s: table %q has no key", name, f.Table)
	}
	for table := range f.Join {
		if table == "" || !tables[table] {
			bad("file %s: joins table %q, which no file is", name, table)
		}
	}
	c.where = compileConditions(f.Where, "file "+name, bad)
	if f.Table != "" && slices.ContainsFunc(f.Where, func(c Condition) bool { return c.Roles != nil }) {
		bad("file %s: table %q: a condition for roles, but its rows are no people", name, f.Table)
	}
	if f.Table == "" {
		c.where = append(c.where, compileConditions(l.Where, "where", bad)...)
		c.compileFields(name, bad)
	}
	return c
}

func (c *fileLayout) compileFields(name string, bad func(string, ...any)) {
	c.simple = len(c.Join) == 0
	for _, column := range mandatory {
		if _, ok := c.Fields[column]; !ok {
			bad("file %s: no field for %q", name, column)
		}
	}
	for _, column := range sortedKeys(c.Fields) {
		field := c.Fields[column]
		if !slices.Contains(allColumns[:], column) {
			bad("file %s: unknown column %q, expected one of %q", name, column, allColumns)
		}
		sources := 0
		for _, s := range []string{field.Title, field.Constant, field.FileName} {
			if s != "" {
				sources++
			}
		}
		if sources != 1 {
			bad("file %s: field %q: expected one of title, constant and file_name", name, column)
		}
		if (field.Split == "") != (field.Part == 0) {
			bad("file %s: field %q: split and part go together", name, column)
		}
		if field.FileName != "" {
			re, err := regexp.Compile(field.FileName)
			if err != nil || re.NumSubexp() < 1 {
				bad("file %s: field %q: file_name: expected a regular expression with a group", name, column)
				continue
			}
			c.names[column] = re
		}
		for from, to := range field.Values {
			if c.values[column] == nil {
				c.values[column] = map[string]string{}
			}
			c.values[column][foldCode(from)] = to
		}
		plain := field.Title != "" && len(field.Join) == 0 && field.Split == "" && field.List == "" && field.Values == nil
		c.simple = c.simple && plain
	}
}

func compileConditions(conditions []Condition, where string, bad func(string, ...any)) []condition {
	var out []condition
	for _, x := range conditions {
		c := condition{Condition: x, in: codeSet(x.In), notIn: codeSet(x.NotIn)}
		if x.Matches != "" {
			re, err := regexp.Compile(x.Matches)
			if err != nil {
				bad("%s: condition on %q: matches: expected a regular expression", where, x.Title)
				continue
			}
			c.matches = re
		}
		for _, r := range x.Roles {
			if !r.Valid() {
				bad("%s: condition on %q: unknown role %q", where, x.Title, r)
			}
		}
		if x.Title == "" || c.in == nil && c.notIn == nil && x.Matches == "" {
			bad("%s: condition on %q: expected a title and in, not_in or matches", where, x.Title)
		}
		out = append(out, c)
	}
	return out
}

func codeSet(texts []string) map[string]bool {
	if texts == nil {
		return nil
	}
	set := map[string]bool{}
	for _, t := range texts {
		set[foldCode(t)] = true
	}
	return set
}

// title returns the title that errors and Write use for c.
func (l *layout) title(c Column) string {
	if t := l.Columns[c]; len(l.Layout) == 0 && len(t) > 0 {
		return t[0]
	}
	for _, f := range l.Layout {
		if field, ok := f.Fields[c]; ok && field.Title != "" {
			return field.Title
		}
	}
	return string(c)
}

// schoolOf returns the directory's code of a school.
func (l *layout) schoolOf(text string) schoolmail.SchoolID {
	if len(l.schools) > 0 {
		if s, ok := l.schools[foldCode(text)]; ok {
			return s
		}
	}
	return schoolmail.SchoolID(text)
}
