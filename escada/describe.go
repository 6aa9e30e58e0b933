package escada

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// DescribeOptions are those of [Describe]. The zero value, and nil: the defaults.
type DescribeOptions struct {
	// Rows is the number of rows of each file that are looked at. Default 20,000.
	Rows int
	// ShowValues adds examples of what stands in the fields. Without it no field
	// of a person is shown, only codes of roles and levels.
	ShowValues bool
}

// Description is what an export looks like, and a profile to begin with.
type Description struct {
	Files []FileDescription
	// Profile reads the files as far as that could be found out.
	Profile *Profile
	// Starter is the name of the one of [Starters] that the files fit, if any.
	Starter string
	// Reasons say why the profile is as it is, Open what somebody has to find out.
	Reasons, Open []string
}

// FileDescription is what one file looks like.
type FileDescription struct {
	Name      string
	Encoding  Encoding
	Delimiter rune // 0: XML
	Header    bool
	Rows      int // looked at
	Broken    int // rows that cannot be cut into as many fields as most have
	Elements  []string
	Columns   []ColumnDescription
	// RowsPerPerson is the mean number of rows of an id; 0: no id was found.
	RowsPerPerson float64
}

// ColumnDescription is what stands in the fields of one title.
type ColumnDescription struct {
	Title    string
	Column   Column // what it seems to be; empty: nothing that is needed
	Why      string
	Empty    int // rows in which it is empty
	Distinct int // different texts, at most distinctMax
	Unique   bool
	Dates    string         // format, if all texts are dates of one
	List     string         // separator, if some texts are lists
	Codes    map[string]int // texts and their rows, of roles and levels only
	Examples []string       // with ShowValues
}

const (
	distinctMax = 50_000
	codesMax    = 24
)

// Describe looks at a sample of files, which may be in zip archives, and says what
// they are and which profile would read them.
func Describe(ctx context.Context, paths []string, opts *DescribeOptions) (*Description, error) {
	var o DescribeOptions
	if opts != nil {
		o = *opts
	}
	o.Rows = cmp.Or(o.Rows, 20_000)
	ro := (*Options)(nil).withDefaults()
	c := &container{layout: &layout{Profile: Profile{Files: []string{"*"},
		Checksums: []string{"SHA256SUMS", "*.sha256"}}}, opts: ro}
	defer c.close()
	for _, p := range paths {
		if err := c.addPath(p); err != nil {
			return nil, Errors{{Position: schoolmail.Position{File: p}, Err: err}}
		}
	}
	if len(c.errs) == 0 && len(c.sources) == 0 {
		c.errs.add(schoolmail.Position{}, ErrNoFiles, "none given")
	}
	if err := c.errs.err(); err != nil {
		return nil, err
	}
	d := &Description{}
	for _, s := range c.sources {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		f, err := describeFile(s, &o)
		if err != nil {
			return nil, err
		}
		d.Files = append(d.Files, *f)
	}
	d.conclude()
	return d, nil
}

// describeFile looks at one file.
func describeFile(s source, o *DescribeOptions) (*FileDescription, error) {
	head, err := textOf(s, 64<<10)
	if err != nil {
		return nil, err
	}
	d := &FileDescription{Name: s.name}
	if strings.HasPrefix(strings.TrimSpace(head), "<") {
		d.Elements = elementsOf(head)
		return d, nil
	}
	d.Delimiter = delimiterOf(head)
	f, err := s.open()
	if err != nil {
		return nil, Errors{{Position: schoolmail.Position{File: s.name}, Err: err}}
	}
	defer f.Close()
	text := newDecoder(f, EncodingAuto)
	scan := newScanner(text, d.Delimiter, quotingRFC4180)
	x := &sampler{file: d, opts: o}
	for x.rows < o.Rows {
		row, ok := scan.next()
		if !ok {
			break
		}
		x.row(row, scan)
	}
	if err := scan.failure(); err != nil {
		return nil, describeError(s.name, err)
	}
	x.finish()
	d.Encoding = text.enc
	switch {
	case text.wide:
		d.Encoding = EncodingUTF16
	case text.enc == EncodingAuto:
		d.Encoding = EncodingUTF8
	}
	if text.single() {
		if better := x.names.better(text.enc); len(better) > 0 {
			d.Encoding = better[0]
		}
	}
	return d, nil
}

func describeError(name string, err error) error {
	e := &Error{Position: schoolmail.Position{File: name}, Err: err}
	if bad, ok := errors.AsType[*encodingError](err); ok {
		e.Position.Line = bad.line
		e.Kind, e.Detail, e.Err = ErrEncoding, bad.detail, nil
	}
	return Errors{e}
}

// textOf gives the beginning of a file.
func textOf(s source, n int64) (string, error) {
	f, err := s.open()
	if err != nil {
		return "", Errors{{Position: schoolmail.Position{File: s.name}, Err: err}}
	}
	defer f.Close()
	text, err := io.ReadAll(newDecoder(io.LimitReader(f, n), EncodingAuto))
	if err != nil {
		return "", describeError(s.name, err)
	}
	return string(text), nil
}

// delimiterOf finds the delimiter with which most lines have as many fields.
func delimiterOf(head string) rune {
	best, most := ';', 0
	for _, d := range ";,\t|" {
		scan := newScanner(strings.NewReader(head), d, quotingRFC4180)
		counts := map[int]int{}
		for {
			row, ok := scan.next()
			if !ok {
				break
			}
			if row.fault == "" && !row.isBlank {
				counts[len(scan.fields())]++
			}
		}
		for fields, rows := range counts {
			if score := rows * (fields - 1); score > most {
				best, most = d, score
			}
		}
	}
	return best
}

// elementsOf lists the elements at the beginning of an XML text that come more than once.
func elementsOf(head string) []string {
	counts := map[string]int{}
	for _, part := range strings.Split(head, "<")[1:] {
		name := part[:strings.IndexAny(part+">", " />\r\n\t")]
		if name == "" || strings.HasPrefix(name, "?") || strings.HasPrefix(name, "!") {
			continue
		}
		if _, local, ok := strings.Cut(name, ":"); ok {
			name = local
		}
		counts[name]++
	}
	var out []string
	for _, name := range sortedKeys(counts) {
		if counts[name] > 1 {
			out = append(out, name)
		}
	}
	return out
}

// addPath takes a file, or the files of a folder.
func (c *container) addPath(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		c.add(filepath.Base(path), func() (fs.File, error) { return os.Open(path) }, false)
		return nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			c.add(e.Name(), func() (fs.File, error) { return os.Open(filepath.Join(path, e.Name())) }, true)
		}
	}
	return nil
}

// sampler collects what stands in the columns of a file.
type sampler struct {
	file    *FileDescription
	opts    *DescribeOptions
	rows    int
	columns []*columnSample
	first   []string // the first row, header or not
	names   suspects
}

type columnSample struct {
	title    string
	empty    int
	texts    map[string]int
	capped   bool
	dates    []bool // by dateFormats: all texts so far are
	mail     int
	letters  int
	lists    map[string]int
	idLike   bool
	examples []string
}

var sampleDates = []string{"dd.mm.yyyy", "yyyy-mm-dd", "dd/mm/yyyy", "mm/dd/yyyy", "yyyymmdd"}

func (x *sampler) row(row row, scan *scanner) {
	if row.isBlank && row.fault == "" {
		return
	}
	fields := scan.fields()
	switch {
	case x.first == nil && row.fault == "":
		if d, ok := ownDelimiter(fields, scan.delim); ok {
			scan.setDelimiter(d)
			x.file.Delimiter = rune(d)
			return
		}
		for i, f := range fields {
			x.first = append(x.first, string(trim(f)))
			x.columns = append(x.columns, newColumnSample(fmt.Sprintf("field %d", i+1)))
		}
		x.file.Header = looksLikeHeader(x.first)
		if !x.file.Header {
			break
		}
		for i, c := range x.columns {
			c.title = x.first[i]
		}
		return
	case row.fault != "" || len(fields) != len(x.columns):
		x.file.Broken++
		x.rows++
		return
	}
	x.rows++
	for i, f := range fields {
		text := string(trim(f))
		x.columns[i].take(text, x.opts.ShowValues)
		if !isASCII(text) {
			x.names.note(text)
		}
	}
}

func newColumnSample(title string) *columnSample {
	return &columnSample{
		title: title, texts: map[string]int{}, dates: slices.Repeat([]bool{true}, len(sampleDates)), idLike: true,
		lists: map[string]int{},
	}
}

func (c *columnSample) take(text string, examples bool) {
	if text == "" {
		c.empty++
		return
	}
	if examples && len(c.examples) < 3 && !slices.Contains(c.examples, text) {
		c.examples = append(c.examples, text)
	}
	if _, known := c.texts[text]; known || len(c.texts) < distinctMax {
		c.texts[text]++
	} else {
		c.capped = true
	}
	for i, format := range sampleDates {
		if c.dates[i] {
			f, _ := parseDateFormat(format)
			_, c.dates[i] = f.parse(text)
		}
	}
	if validMail(text) {
		c.mail++
	}
	if _, why := cleanName(text); why == "" && strings.Trim(text, "0123456789") == text {
		c.letters++
	}
	for _, sep := range []string{",", "|", ";"} {
		if strings.Contains(text, sep) {
			c.lists[sep]++
		}
	}
	c.idLike = c.idLike && validID(text) && strings.ContainsAny(text, "0123456789")
}

// looksLikeHeader reports whether a row holds titles: known ones, or nothing that
// is a number, a date or a mail address.
func looksLikeHeader(row []string) bool {
	known := 0
	l, _ := (*Profile)(nil).compile()
	for _, t := range row {
		if _, ok := l.titles[foldTitle(t)]; ok {
			known++
		}
		if otherTitles[foldTitle(t)] != "" {
			known++
		}
	}
	if known > 1 {
		return true
	}
	for _, t := range row {
		if t == "" || strings.ContainsAny(t, "@0123456789") {
			return false
		}
	}
	return true
}

// finish makes the description of what was collected.
func (x *sampler) finish() {
	x.file.Rows = x.rows
	for _, c := range x.columns {
		d := ColumnDescription{
			Title: c.title, Empty: c.empty, Distinct: len(c.texts), Examples: c.examples,
			Unique: !c.capped && c.empty == 0 && x.rows > 0 && len(c.texts) == x.rows-x.file.Broken,
		}
		filled := x.rows - x.file.Broken - c.empty
		for i, all := range c.dates {
			if all && filled > 0 {
				d.Dates = sampleDates[i]
				break
			}
		}
		for _, sep := range sortedKeys(c.lists) {
			if c.lists[sep]*20 > filled {
				d.List = sep
			}
		}
		x.file.Columns = append(x.file.Columns, d)
	}
	x.guess()
}
