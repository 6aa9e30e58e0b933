package escada

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
	// MaxFileBytes is the size of the largest file that is read. Files are
	// streamed, so the limit is against rubbish, not for memory. 0 means 4 GiB.
	MaxFileBytes int64
	// IdentityKey is the district's key for identity material (AHV numbers, dates
	// of birth), at least 16 bytes. Of the material only hashes under this key
	// are kept, in Record.Traits. Without a key it is not even looked at.
	IdentityKey []byte
	// Last is what was accepted before, see [Accept]. With it, an older export is
	// refused (ErrOlder), and so is one with other columns (ErrColumnsChanged).
	Last *Accepted
	// AllowOlder and AllowColumns accept both, once somebody has looked.
	AllowOlder, AllowColumns bool
	// Now is the time that ages are reckoned from; zero: they are not.
	Now time.Time
	// MaxAge is the age of the newest file after which nobody counts as gone any
	// more; 0: any age will do.
	MaxAge time.Duration
	// Settle is how long a file must have been left alone before it is read;
	// until then the error is ErrNotReady. 0: not at all.
	Settle time.Duration
	// Budget says how much may be wrong. See there for the defaults.
	Budget Budget
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
		v.MaxFileBytes = 4 << 30
	}
	if v.MaxRejected == 0 {
		v.MaxRejected = 200_000
	}
	return v
}

// ReadDir reads the export files directly in the directory, chosen by
// [Profile.Files], and those in its zip archives. It does not follow links out
// of the directory.
func ReadDir(ctx context.Context, dir string, opts *Options) (schoolmail.Delivery, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return schoolmail.Delivery{}, Errors{{Err: err}}
	}
	defer root.Close()
	return Read(ctx, root.FS(), opts)
}

// Read reads the export files in the root of fsys, chosen by [Profile.Files], and
// those in its zip archives. Lock files of office programs are skipped; while
// there are files that are still being transferred, the error is [ErrNotReady].
func Read(ctx context.Context, fsys fs.FS, opts *Options) (schoolmail.Delivery, error) {
	o := opts.withDefaults()
	l, err := o.compile()
	if err != nil {
		return schoolmail.Delivery{}, err
	}
	dir, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return schoolmail.Delivery{}, Errors{{Err: err}}
	}
	c := &container{layout: l, opts: o}
	defer c.close()
	for _, d := range dir {
		if !d.IsDir() {
			c.add(d.Name(), func() (fs.File, error) { return fsys.Open(d.Name()) }, true)
		}
	}
	if len(c.errs) == 0 && len(c.sources) == 0 {
		c.errs.add(schoolmail.Position{}, ErrNoFiles, "expected files named %s, found %d others",
			strings.Join(l.Files, " or "), len(dir))
	}
	if len(c.errs) > 0 {
		return schoolmail.Delivery{}, c.errs
	}
	return read(ctx, c, l, o)
}

// ReadFiles reads the given files, whatever their names; zip archives among them
// are read as Read does. In the delivery they are called by their base names, or
// as given where these are not unique.
func ReadFiles(ctx context.Context, paths []string, opts *Options) (schoolmail.Delivery, error) {
	o := opts.withDefaults()
	l, err := o.compile()
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
	c := &container{layout: l, opts: o}
	defer c.close()
	for _, p := range paths {
		name := filepath.Base(p)
		if bases[name] > 1 {
			name = filepath.ToSlash(p)
		}
		c.add(name, func() (fs.File, error) { return os.Open(p) }, false)
	}
	if len(c.errs) > 0 {
		return schoolmail.Delivery{}, c.errs
	}
	return read(ctx, c, l, o)
}

// compile makes the profile ready, with the key for identity material.
func (o *Options) compile() (*layout, error) {
	l, err := o.Profile.compile()
	if err != nil {
		return nil, err
	}
	if n := len(o.IdentityKey); n > 0 && n < 16 {
		return nil, Errors{{Kind: ErrProfile, Detail: "key for identity material: expected at least 16 bytes"}}
	}
	if l.key = o.IdentityKey; len(l.key) == 0 {
		l.key = nil
	}
	return l, nil
}

// reader is one reading of an export.
type reader struct {
	ctx        context.Context
	layout     *layout
	opts       Options
	fold       *folder
	errs       Errors
	incomplete []string
	rows       int
	kind       schoolmail.DeliveryKind
	tables     map[string]*table
	// columnsSeen are the titles of files with a header, by sort of file.
	columnsSeen map[string][]string
	unknown     map[string][]string
	container   *container
	written     time.Time // when the newest file was
	sum         hash.Hash
	contents    map[[sha256.Size]byte]string // digest of a file -> its name
}

func read(ctx context.Context, c *container, l *layout, o Options) (schoolmail.Delivery, error) {
	sources := c.sources
	slices.SortStableFunc(sources, func(a, b source) int { return strings.Compare(a.name, b.name) })
	r := &reader{
		ctx: ctx, layout: l, opts: o, fold: newFolder(l, o.Day), sum: sha256.New(),
		contents: map[[sha256.Size]byte]string{}, tables: map[string]*table{},
		columnsSeen: map[string][]string{}, unknown: map[string][]string{},
	}
	for _, f := range l.files {
		if f.Table != "" {
			t := &table{
				titles: l.needs(f.Table), index: map[string]int{}, rows: map[string][]string{}, dropped: map[string]bool{},
			}
			for i, title := range t.titles {
				t.index[foldPath(title)] = i
			}
			r.tables[f.Table] = t
		}
	}
	r.container = c
	r.checkNames(sources)
	r.checkLayout(sources)
	r.checkManifest(c)
	for _, s := range sources {
		r.fold.files = append(r.fold.files, s.name)
	}
	// Tables first, as people refer to them.
	read := map[string]bool{}
	for _, f := range slices.SortedStableFunc(slices.Values(l.files), tablesFirst) {
		for i, s := range sources {
			if (f.Match == nil || matchAny(f.Match, s.name)) && ctx.Err() == nil && len(r.fold.rejected) <= o.MaxRejected {
				r.source(int32(i), s, f, !read[s.name])
				read[s.name] = true
			}
		}
	}
	if len(r.fold.rejected) > o.MaxRejected {
		last := r.fold.rejected[len(r.fold.rejected)-1]
		r.errs.add(schoolmail.Position{File: last.File}, ErrTooManyRejected,
			"more than %d mistakes; is it the right profile?", o.MaxRejected)
	}
	if ctx.Err() != nil {
		return schoolmail.Delivery{}, context.Cause(ctx)
	}
	if len(r.errs) == 0 && r.rows == 0 && r.kind == schoolmail.DeliveryFull {
		r.errs.add(schoolmail.Position{}, ErrEmpty, "headers only; a full export lists everybody")
	}
	if len(r.errs) == 0 {
		r.judge()
	}
	if err := r.errs.err(); err != nil {
		return schoolmail.Delivery{}, err
	}
	return r.delivery(), nil
}

func tablesFirst(a, b *fileLayout) int { return cmp.Compare(rank(a), rank(b)) }

func rank(f *fileLayout) int {
	if f.Table != "" {
		return 0
	}
	return 1
}

// checkLayout looks for sorts of files of which there is none.
func (r *reader) checkLayout(sources []source) {
	for _, f := range r.layout.files {
		if f.Optional || f.Match == nil || slices.ContainsFunc(sources,
			func(s source) bool { return matchAny(f.Match, s.name) }) {
			continue
		}
		names := strings.Join(f.Match, ", ")
		if f.Table != "" {
			r.errs.add(schoolmail.Position{}, ErrNoFiles, "expected a file named %s, to which others refer", names)
		} else {
			r.doubt("file " + names + " is missing")
		}
	}
}

func (r *reader) fingerprint() string { return "sha256:" + hex.EncodeToString(r.sum.Sum(nil)) }

// delivery folds what was read.
func (r *reader) delivery() schoolmail.Delivery {
	d := schoolmail.Delivery{
		Source: r.layout.Source, Kind: r.kind, Fingerprint: r.fingerprint(),
		Files: r.fold.files, Rows: r.rows, Records: r.fold.finish(), RowsBySchool: map[schoolmail.SchoolID]int{},
		Incomplete: strings.Join(r.incomplete, "; "), Written: r.written, Columns: r.columnsSeen, Unknown: r.unknown,
	}
	for school, n := range r.fold.rows {
		if n > 0 {
			d.RowsBySchool[r.fold.schools.text(uint32(school))] = n
		}
	}
	for _, p := range r.fold.rejected {
		d.Rejected = append(d.Rejected, p.Rejection)
	}
	return d
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

// meter counts and sums up the bytes of a file as they are read.
type meter struct {
	src  io.Reader
	sum  hash.Hash
	left int64
}

var errTooLong = errors.New("too long")

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.src.Read(p)
	m.sum.Write(p[:n])
	if m.left -= int64(n); m.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// source reads one file.
func (r *reader) source(number int32, s source, layout *fileLayout, first bool) {
	pos := schoolmail.Position{File: s.name}
	f, err := s.open()
	if err != nil {
		r.errs = append(r.errs, &Error{Position: pos, Err: err})
		return
	}
	defer f.Close()
	before, err := f.Stat()
	switch {
	case err != nil:
		r.errs = append(r.errs, &Error{Position: pos, Err: err})
		return
	case before.IsDir():
		r.errs = append(r.errs, &Error{Position: pos, Err: errors.New("is a directory")})
		return
	case before.Size() > r.opts.MaxFileBytes:
		r.errs.add(pos, ErrTooLarge, "more than %d bytes", r.opts.MaxFileBytes)
		return
	case r.opts.Settle > 0 && !r.opts.Now.IsZero() && r.opts.Now.Sub(before.ModTime()) < r.opts.Settle:
		r.errs.add(pos, ErrNotReady, "written less than %v ago", r.opts.Settle)
		return
	}
	if before.ModTime().After(r.written) {
		r.written = before.ModTime()
	}
	m := &meter{src: f, sum: sha256.New(), left: r.opts.MaxFileBytes}
	rowsBefore := r.rows
	err = r.file(number, s.name, m, layout)
	if err == nil && len(r.errs) == 0 && len(r.fold.rejected) <= r.opts.MaxRejected {
		_, err = io.Copy(io.Discard, m) // after a trailer
	}
	var bad *encodingError
	var notXML *xmlError
	switch {
	case err == nil:
	case errors.As(err, &notXML):
		pos.Line = notXML.line
		r.errs.add(pos, ErrXML, "%s", notXML.detail)
	case errors.As(err, &bad):
		pos.Line = bad.line
		r.errs.add(pos, ErrEncoding, "%s", bad.detail)
	case errors.Is(err, errTooLong):
		r.errs.add(pos, ErrTooLarge, "more than %d bytes", r.opts.MaxFileBytes)
	default:
		r.errs = append(r.errs, &Error{Position: pos, Err: err})
	}
	if after, err := f.Stat(); err == nil && (after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		r.errs.add(pos, ErrNotReady, "it changed while it was read")
	}
	if !first {
		return
	}
	digest := [sha256.Size]byte(m.sum.Sum(nil))
	r.checkDigest(s.name, digest)
	fmt.Fprintf(r.sum, "%d %s\n%x\n", len(s.name), s.name, digest)
	if r.rows == rowsBefore {
		return
	}
	if other, dup := r.contents[digest]; dup {
		r.errs.add(schoolmail.Position{File: s.name}, ErrDuplicateFile,
			"the contents are those of %s: a file was copied twice, or over another", other)
	}
	r.contents[digest] = s.name
}
