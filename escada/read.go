package escada

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Options of the Read functions. The zero value, and nil, mean the defaults.
type Options struct {
	// Profile describes the export. Default: the zero Profile.
	Profile *Profile
	// Day decides which classes and levels count when a person has several
	// rows at one school for different periods: those of the rows that hold on
	// this day; if none does, those that begin next, else those that ended
	// last. Zero: all rows count, whatever their periods.
	Day schoolmail.Date
	// MaxFileBytes is the size of the largest file that is read, as files are
	// read into memory one by one. 0 means 64 MiB, some 600,000 rows.
	MaxFileBytes int64
	// MaxRejected is the number of mistakes in rows after which reading ends
	// with ErrTooManyRejected. 0 means 200,000.
	MaxRejected int
}

func (o *Options) withDefaults() Options {
	var v Options
	if o != nil {
		v = *o
	}
	if v.MaxFileBytes == 0 {
		v.MaxFileBytes = 64 << 20
	}
	if v.MaxRejected == 0 {
		v.MaxRejected = 200_000
	}
	return v
}

// ReadDir reads the export files directly in the directory, chosen by
// [Profile.Files]. It does not follow links out of the directory.
func ReadDir(ctx context.Context, dir string, opts *Options) (schoolmail.Delivery, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return schoolmail.Delivery{}, Errors{{Err: err}}
	}
	defer root.Close()
	return Read(ctx, root.FS(), opts)
}

// Read reads the export files in the root of fsys, chosen by [Profile.Files].
func Read(ctx context.Context, fsys fs.FS, opts *Options) (schoolmail.Delivery, error) {
	o := opts.withDefaults()
	l, err := o.Profile.compile()
	if err != nil {
		return schoolmail.Delivery{}, err
	}
	dir, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return schoolmail.Delivery{}, Errors{{Err: err}}
	}
	var sources []source
	for _, d := range dir {
		if !d.IsDir() && matchAny(l.Files, d.Name()) {
			sources = append(sources, source{d.Name(), func() (fs.File, error) { return fsys.Open(d.Name()) }})
		}
	}
	if len(sources) == 0 {
		return schoolmail.Delivery{}, Errors{{Kind: ErrNoFiles,
			Detail: fmt.Sprintf("expected files named %s, found %d others", strings.Join(l.Files, " or "), len(dir))}}
	}
	return read(ctx, sources, l, o)
}

// ReadFiles reads the given files, whatever their names. In the delivery they
// are called by their base names, or as given where these are not unique.
func ReadFiles(ctx context.Context, paths []string, opts *Options) (schoolmail.Delivery, error) {
	o := opts.withDefaults()
	l, err := o.Profile.compile()
	if err != nil {
		return schoolmail.Delivery{}, err
	}
	if len(paths) == 0 {
		return schoolmail.Delivery{}, Errors{{Kind: ErrNoFiles, Detail: "none given"}}
	}
	bases := map[string]int{}
	for _, p := range paths {
		bases[filepath.Base(p)]++
	}
	var sources []source
	for _, p := range paths {
		name := filepath.Base(p)
		if bases[name] > 1 {
			name = filepath.ToSlash(p)
		}
		sources = append(sources, source{name, func() (fs.File, error) { return os.Open(p) }})
	}
	return read(ctx, sources, l, o)
}

// source is a file still to be opened.
type source struct {
	name string
	open func() (fs.File, error)
}

// reader is one reading of an export.
type reader struct {
	ctx        context.Context
	layout     *layout
	opts       Options
	fold       folder
	errs       Errors
	incomplete []string
	rows       int
	kind       schoolmail.DeliveryKind
}

func read(ctx context.Context, sources []source, l *layout, o Options) (schoolmail.Delivery, error) {
	slices.SortStableFunc(sources, func(a, b source) int { return strings.Compare(a.name, b.name) })
	r := &reader{ctx: ctx, layout: l, opts: o}
	r.fold = folder{layout: l, day: o.Day, people: map[string]*person{}, rows: map[schoolmail.SchoolID]int{}}
	r.checkNames(sources)

	sum := sha256.New()
	contents := map[[sha256.Size]byte]string{}
	for i, s := range sources {
		if err := ctx.Err(); err != nil {
			return schoolmail.Delivery{}, context.Cause(ctx)
		}
		r.fold.files = append(r.fold.files, s.name)
		data, err := r.load(s)
		if err != nil {
			r.errs = append(r.errs, err)
			continue
		}
		digest := sha256.Sum256(data)
		fmt.Fprintf(sum, "%d %s\n%x\n", len(s.name), s.name, digest)
		rowsBefore := r.rows
		r.file(i, s.name, data)
		if r.rows > rowsBefore {
			if other, dup := contents[digest]; dup {
				r.errs.add(schoolmail.Position{File: s.name}, ErrDuplicateFile,
					"the contents are those of %s: a file was copied twice, or over another", other)
			}
			contents[digest] = s.name
		}
		if len(r.fold.rejected) > o.MaxRejected {
			r.errs.add(schoolmail.Position{File: s.name}, ErrTooManyRejected,
				"more than %d mistakes; is it the right profile?", o.MaxRejected)
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return schoolmail.Delivery{}, context.Cause(ctx)
	}
	if len(r.errs) == 0 && r.rows == 0 && r.kind == schoolmail.DeliveryFull {
		r.errs.add(schoolmail.Position{}, ErrEmpty, "headers only; a full export lists everybody")
	}
	if err := r.errs.err(); err != nil {
		return schoolmail.Delivery{}, err
	}

	d := schoolmail.Delivery{
		Source: l.Source, Kind: r.kind, Fingerprint: "sha256:" + hex.EncodeToString(sum.Sum(nil)), Files: r.fold.files,
		Rows: r.rows, Records: r.fold.finish(), RowsBySchool: r.fold.rows, Incomplete: strings.Join(r.incomplete, "; "),
	}
	for _, p := range r.fold.rejected {
		d.Rejected = append(d.Rejected, p.Rejection)
	}
	return d, nil
}

// checkNames decides on full or delta and looks for missing and double files.
func (r *reader) checkNames(sources []source) {
	var full, delta string
	for i, s := range sources {
		if matchAny(r.layout.DeltaFiles, s.name) {
			delta = s.name
		} else {
			full = s.name
		}
		if i > 0 && sources[i-1].name == s.name {
			r.errs.add(schoolmail.Position{File: s.name}, ErrDuplicateFile, "given twice")
		}
	}
	r.kind = schoolmail.DeliveryFull
	switch {
	case full != "" && delta != "":
		r.errs.add(schoolmail.Position{}, ErrMixedKinds, "%s is full, %s is a delta", full, delta)
	case delta != "":
		r.kind = schoolmail.DeliveryDelta
	}
	for _, pattern := range r.layout.RequiredFiles {
		if !slices.ContainsFunc(sources, func(s source) bool { return matchAny([]string{pattern}, s.name) }) {
			r.incomplete = append(r.incomplete, fmt.Sprintf("file %q is missing", pattern))
		}
	}
}

// load reads a file into memory.
func (r *reader) load(s source) ([]byte, *Error) {
	pos := schoolmail.Position{File: s.name}
	f, err := s.open()
	if err != nil {
		return nil, &Error{Position: pos, Err: err}
	}
	defer f.Close()
	limit := r.opts.MaxFileBytes
	var size int64
	if info, err := f.Stat(); err == nil {
		if info.IsDir() {
			return nil, &Error{Position: pos, Err: errors.New("is a directory")}
		}
		size = info.Size()
	}
	var data []byte
	if size <= limit {
		data, err = io.ReadAll(io.LimitReader(f, limit+1))
	}
	if size > limit || int64(len(data)) > limit {
		return nil, &Error{Position: pos, Kind: ErrTooLarge, Detail: fmt.Sprintf("more than %d bytes", limit)}
	}
	if err != nil {
		return nil, &Error{Position: pos, Err: err}
	}
	return data, nil
}

// file reads the rows of one file.
func (r *reader) file(number int, name string, data []byte) {
	if len(strings.TrimSpace(strings.TrimPrefix(string(data[:min(len(data), 64)]), utf8BOM))) == 0 && len(data) < 64 {
		r.errs.add(schoolmail.Position{File: name}, ErrEmpty, "expected a header line")
		return
	}
	text, derr := decode(name, data, r.layout.Encoding)
	if derr != nil {
		r.errs = append(r.errs, derr)
		return
	}
	s := newScanner(text, r.layout.Delimiter)
	head, ok := r.header(name, s)
	if !ok {
		return
	}

	p := &rowParser{layout: r.layout, header: head}
	var (
		rows    int
		last    row
		short   bool // the last row had too few fields or was broken
		trailer = -1 // row count of the trailer
	)
	for {
		row, ok := s.next()
		if !ok {
			break
		}
		if row.isBlank && row.fault == "" {
			continue
		}
		at := place{number, row.line}
		last, short = row, false
		if trailer >= 0 {
			r.fold.reject(at, "", "", "", false, schoolmail.RejectedUnreadable, "a row after the trailer: expected the end of the file")
			rows++
			continue
		}
		if r.layout.Trailer != "" && row.fault == "" && strings.TrimSpace(s.fields[0]) == r.layout.Trailer {
			trailer = trailerCount(s.fields)
			continue
		}
		rows++
		if rows&0xFFF == 0 && (r.ctx.Err() != nil || len(r.fold.rejected) > r.opts.MaxRejected) {
			return
		}
		short = r.row(p, s, row, at)
	}
	r.rows += rows

	pos := schoolmail.Position{File: name, Line: last.line}.String()
	switch {
	case rows == 0 && trailer < 0 && r.kind == schoolmail.DeliveryFull:
		r.incomplete = append(r.incomplete, name+" has no rows")
	case r.layout.Trailer != "" && trailer < 0:
		r.incomplete = append(r.incomplete, name+" has no trailer, so its end may be missing")
	case r.layout.Trailer != "" && trailer != rows:
		r.incomplete = append(r.incomplete, fmt.Sprintf("%s: the trailer counts %d rows, the file has %d", pos, trailer, rows))
	case r.layout.Trailer != "":
	case short:
		r.incomplete = append(r.incomplete, pos+": the last row is not whole, so the file may have been cut off")
	case !r.layout.OpenEnd && rows > 0 && !last.ended:
		r.incomplete = append(r.incomplete, pos+": the last line has no line end, so the file may have been cut off")
	}
}

// row reads one row and reports whether it was too short or broken.
func (r *reader) row(p *rowParser, s *scanner, row row, at place) (short bool) {
	if row.fault != "" {
		r.fold.reject(at, "", "", "", false, schoolmail.RejectedUnreadable, row.fault)
		return true
	}
	fields := s.fields
	for len(fields) > p.fields && strings.TrimSpace(fields[len(fields)-1]) == "" {
		fields = fields[:len(fields)-1] // superfluous delimiters, as spreadsheets write them
	}
	if len(fields) != p.fields {
		r.fold.reject(at, "", "", "", false, schoolmail.RejectedUnreadable, fmt.Sprintf("%d fields: expected %d as in the header", len(fields), p.fields))
		return len(fields) < p.fields
	}
	e := p.parse(fields)
	if !row.ended && r.layout.Trailer == "" && !r.layout.OpenEnd {
		// The last field may be cut off; the others are whole.
		p.faults = p.faults[:0]
		if p.index[0] == p.fields-1 {
			e.id = ""
		}
		if p.index[4] == p.fields-1 {
			e.school = ""
		}
		p.fail("", "no line end: expected one, as the row may have been cut off")
	}
	rejected := p.fatal()
	for _, f := range p.faults {
		r.fold.reject(at, f.column, e.id, e.school, f.harmless, f.kind(), f.reason)
	}
	if rejected {
		r.fold.refuse(e.id, at)
	} else {
		r.fold.add(e, at)
	}
	return false
}

// trailerCount reads the row count of a trailer; a missing or bad one is 0,
// which then fits no file that has rows.
func trailerCount(fields []string) int {
	if len(fields) < 2 {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(fields[1]))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// header reads the first line that is not blank.
func (r *reader) header(name string, s *scanner) (header, bool) {
	var h header
	row, ok := s.next()
	for ok && row.isBlank {
		row, ok = s.next()
	}
	pos := schoolmail.Position{File: name, Line: row.line}
	if !ok || row.fault != "" {
		r.errs.add(pos, ErrMissingColumn, "expected a header line%s", strings.TrimRight(": "+row.fault, ": "))
		return h, false
	}
	for i := range h.index {
		h.index[i] = -1
	}
	h.fields = len(s.fields)
	for h.fields > 1 && strings.TrimSpace(s.fields[h.fields-1]) == "" {
		h.fields-- // superfluous delimiters
	}
	good := true
	known := 0
	var unknown []string
	for i, title := range s.fields[:h.fields] {
		c, ok := r.layout.titles[foldTitle(title)]
		if !ok {
			unknown = append(unknown, title)
			continue
		}
		known++
		n := slices.Index(allColumns[:], c)
		if h.index[n] >= 0 {
			r.errs.add(schoolmail.Position{File: name, Line: row.line, Column: strings.TrimSpace(title)}, ErrDuplicateColumn,
				"fields %d and %d both hold the %s", h.index[n]+1, i+1, c)
			good = false
			continue
		}
		h.index[n] = i
	}
	var missing []string
	for i, c := range allColumns {
		if h.index[i] < 0 && !slices.Contains(r.layout.Optional, c) {
			missing = append(missing, strconv.Quote(r.layout.title(c)))
		}
	}
	switch {
	case known < 2 && len(missing) > 0:
		r.errs.add(pos, ErrMissingColumn, "no header found: expected the titles %s, separated by %q; found %d fields, %d known titles",
			strings.Join(missing, ", "), r.layout.Delimiter, h.fields, known)
		return h, false
	case len(missing) > 0:
		r.errs.add(pos, ErrMissingColumn, "%s; found %s", strings.Join(missing, ", "), titleList(s.fields[:h.fields]))
		good = false
	}
	if r.layout.Strict && len(unknown) > 0 {
		r.errs.add(pos, ErrUnknownColumn, "%s", titleList(unknown))
		good = false
	}
	return h, good
}

// titleList quotes titles, long ones shortened.
func titleList(titles []string) string {
	quoted := make([]string, 0, len(titles))
	for _, t := range titles {
		t = strings.TrimSpace(t)
		if r := []rune(t); len(r) > 40 {
			t = string(r[:40]) + "..."
		}
		quoted = append(quoted, strconv.Quote(t))
		if len(quoted) == 64 {
			quoted = append(quoted, "...")
			break
		}
	}
	return strings.Join(quoted, ", ")
}
