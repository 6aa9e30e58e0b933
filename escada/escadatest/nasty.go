package escadatest

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// Expectation is what a nasty export must come to.
type Expectation string

const (
	// Same: the same people are read as of the good export.
	Same Expectation = "same"
	// Told: it is refused, incomplete, or rows are rejected; never taken for whole.
	Told Expectation = "told"
	// ToldOrSame: one or the other, as what is spoilt may not be needed.
	ToldOrSame Expectation = "told or same"
	// Fewer: the reader cannot know better, but it shows: there are fewer people or
	// classes, or other people under the ids. The guards of the planner hold what
	// follows from it.
	Fewer Expectation = "fewer"
)

// Nasty is a way in which exports go wrong.
type Nasty struct {
	Name   string
	Expect Expectation
	// Spoil changes an export, which is its own copy. It reports whether it could:
	// some cases need CSV.
	Spoil func(e Export, p *escada.Profile) bool
	// Stream, in place of Spoil, makes the files while they are read, so that their
	// size costs neither memory nor disk; in all they have about size bytes.
	Stream func(e Export, size int64) fs.FS
}

// NastyOptions are those of [TryNasty]. The zero value, and nil: the defaults.
type NastyOptions struct {
	// Read is how the export is read; nil: as [escada.Read] does by itself.
	Read *escada.Options
	// StreamBytes is the size of exports that are made while they are read.
	// Default 1 GiB.
	StreamBytes int64
}

// NastyCases returns the ways in which exports have been seen to go wrong, for a
// site to try its own profile with: see [TryNasty].
func NastyCases() []Nasty {
	var out []Nasty
	for _, x := range []struct {
		name   string
		expect Expectation
		spoil  func(Export, *escada.Profile) bool
	}{
		{"cut in half", Told, eachFile(func(d []byte) []byte { return d[:len(d)/2] })},
		{"cut in the last row", Told, eachFile(func(d []byte) []byte { return d[:max(0, len(d)-4)] })},
		{"empty files", Told, eachFile(func([]byte) []byte { return nil })},
		{"headers only", Told, eachLine(func(i int, l string) string { return only(i == 0, l) })},
		{"emptied classes", Fewer, emptyClasses},
		{"ids re-issued", Fewer, reissueIDs},
		{"exit for everyone but one", Fewer, eachLine(func(i int, l string) string { return only(i < 2, l) })},
		{"mixed encodings", Told, mixEncodings},
		{"converted twice", Told, eachFile(encodeTwice)},
		{"letters become question marks", Told, eachFile(letters('?'))},
		{"UTF-16", Same, eachText(func(e Export) { e.EncodeUTF16() })},
		{"a mark and a header in the middle", Same, joined},
		{"line ends of a Macintosh", Same, eachFile(lineEnds("\r"))},
		{"line ends of Unix", Same, eachFile(lineEnds("\n"))},
		{"sep= in front", Same, func(e Export, p *escada.Profile) bool {
			d := cmpRune(p.Delimiter)
			return eachFile(func(x []byte) []byte { return append([]byte("sep="+d+"\r\n"), x...) })(e, p)
		}},
		{"in a zip archive", Same, zipped},
		{"lock files of office programs", Same, func(e Export, _ *escada.Profile) bool {
			for _, name := range e.Names() {
				e["~$"+name] = []byte("\x05user")
			}
			return true
		}},
		{"a transfer that goes on", Told, func(e Export, _ *escada.Profile) bool {
			e["export.csv.filepart"] = []byte("x")
			return true
		}},
		{"the first column is gone", ToldOrSame, eachFields(func(f []string) []string { return f[1:] })},
		{"the last column is gone", ToldOrSame, eachFields(func(f []string) []string { return f[:len(f)-1] })},
		{"a column is there twice", ToldOrSame, eachFields(func(f []string) []string { return append(f, f[0]) })},
		{"ids as a spreadsheet writes them", Told, ids(func(i int) string { return fmt.Sprintf("1.%dE+11", i%10) })},
		{"one id for everyone", Told, ids(func(int) string { return "1" })},
		{"no ids", Told, ids(func(int) string { return "" })},
		{"a quote that is lost", Told, eachLine(func(i int, l string) string {
			if i == 1 {
				return `"` + l
			}
			return l
		})},
		{"zero bytes", Told, eachLine(func(i int, l string) string { return strings.Replace(l, "e", "\x00", min(i, 1)) })},
		{"a page of the web", Told, func(e Export, _ *escada.Profile) bool {
			for name := range e {
				e[name] = []byte("<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>\n")
			}
			return true
		}},
	} {
		out = append(out, Nasty{Name: x.name, Expect: x.expect, Spoil: x.spoil})
	}
	return append(out, Nasty{Name: "a gigabyte of quotes", Expect: Told, Stream: quotes})
}

// Verdict is what came of a nasty export.
type Verdict struct {
	Case    Nasty
	Skipped bool
	OK      bool
	Outcome string        // without any field of a person
	Took    time.Duration // processor speed permitting
}

// TryNasty spoils an export in all ways and reads it as the options say. It
// fails if the good export cannot be read.
func TryNasty(ctx context.Context, e Export, opts *NastyOptions) ([]Verdict, error) {
	if opts == nil {
		opts = &NastyOptions{}
	}
	size := cmp.Or(opts.StreamBytes, 1<<30)
	good, err := escada.Read(ctx, e.FS(), opts.Read)
	if err != nil {
		return nil, err
	}
	var profile escada.Profile
	if opts.Read != nil && opts.Read.Profile != nil {
		profile = *opts.Read.Profile
	}
	var out []Verdict
	for _, n := range NastyCases() {
		spoilt := e.Clone()
		v := Verdict{Case: n}
		var fsys fs.FS
		switch {
		case n.Stream != nil:
			fsys = n.Stream(spoilt, size)
		case n.Spoil(spoilt, &profile):
			fsys = spoilt.FS()
		default:
			v.Skipped = true
			out = append(out, v)
			continue
		}
		start := time.Now()
		d, err := escada.Read(ctx, fsys, opts.Read)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		v.Took = time.Since(start)
		v.judge(&good, &d, err)
		out = append(out, v)
	}
	return out, nil
}

func (v *Verdict) judge(good, d *schoolmail.Delivery, err error) {
	same := err == nil && len(d.Records) == len(good.Records)
	for i := range d.Records {
		same = same && d.Records[i].Key == good.Records[i].Key && d.Records[i].FamilyName == good.Records[i].FamilyName
	}
	shields := 0
	for _, r := range d.Rejected {
		if !r.Harmless {
			shields++
		}
	}
	told := err != nil || d.Incomplete != "" || shields > 0
	switch {
	case err != nil:
		v.Outcome = "refused: " + firstLine(err.Error())
	default:
		v.Outcome = fmt.Sprintf("%d of %d people, %d rows rejected", len(d.Records), len(good.Records), shields)
		if d.Incomplete != "" {
			v.Outcome += ", incomplete: nobody counts as gone"
		}
	}
	switch v.Case.Expect {
	case Same:
		v.OK = same
	case Told:
		v.OK = told
	case ToldOrSame:
		v.OK = told || same
	case Fewer:
		v.OK = told || shows(good, d)
	}
}

// shows reports whether there are fewer people or classes, or others under the ids.
func shows(good, d *schoolmail.Delivery) bool {
	if len(d.Records) < len(good.Records) || classes(d) < classes(good) {
		return true
	}
	names := map[schoolmail.RecordKey]string{}
	for _, r := range good.Records {
		names[r.Key] = r.GivenName + " " + r.FamilyName
	}
	return slices.ContainsFunc(d.Records, func(r schoolmail.Record) bool {
		before, ok := names[r.Key]
		return ok && before != r.GivenName+" "+r.FamilyName
	})
}

// classes counts the classes of all people.
func classes(d *schoolmail.Delivery) int {
	n := 0
	for _, r := range d.Records {
		for _, m := range r.Memberships {
			n += len(m.Classes)
		}
	}
	return n
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// eachFile changes the bytes of every file.
// eachLine changes the lines of every file; "" drops one.
// eachFields changes the fields of every line, which must have no quotes.
// ids replaces the field that the profile takes the id from, in its usual place.
// letters converts to Windows-1252, in which what it lacks becomes the byte; 0: it
// is left out.
// joined puts a mark and the header once more into the middle, as when files were
// joined to one.
// ReadExport reads the files of a folder into memory, to be spoilt.
