package escada

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Accepted is what is kept of the last accepted delivery, to notice an older one
// that was put back and columns that have changed. It is plain data, for JSON.
type Accepted struct {
	Fingerprint string              `json:"fingerprint"`
	Written     time.Time           `json:"written,omitzero"`  // of the newest file
	Columns     map[string][]string `json:"columns,omitempty"` // titles in each sort of file
}

// Accept returns what to keep when a delivery was accepted.
func Accept(d *schoolmail.Delivery) *Accepted {
	return &Accepted{Fingerprint: d.Fingerprint, Written: d.Written, Columns: maps.Clone(d.Columns)}
}

// seeColumns notes the titles of a sort of file.
func (f *fileReader) seeColumns(titles []string) {
	sort := "export"
	if f.layout.Match != nil {
		sort = strings.Join(f.layout.Match, " ")
	}
	f.columnsSeen[sort] = titles
	var unknown []string
	for _, t := range titles {
		if t != "" && !f.reader.layout.knows(t, f.layout) {
			unknown = append(unknown, t)
		}
	}
	if len(unknown) > 0 {
		f.unknown[sort] = unknown
	}
}

// knows reports whether a title of these files is one that is read, or ignored
// knowingly. Of several sorts in one file, each may read other titles.
func (l *layout) knows(title string, f *fileLayout) bool {
	if matchAny(l.Ignore, title) {
		return true
	}
	if f.Match == nil {
		_, ok := l.titles[foldTitle(title)]
		return ok || slices.ContainsFunc(l.Where, func(c Condition) bool { return foldTitle(c.Title) == foldTitle(title) })
	}
	for _, other := range l.files {
		if !slices.Equal(other.Match, f.Match) {
			continue
		}
		wanted := other.wanted(l)
		if other.Table != "" {
			wanted = slices.Concat(wanted, other.Key, l.needs(other.Table))
		}
		if slices.ContainsFunc(wanted, func(w string) bool { return foldPath(w) == foldPath(title) }) {
			return true
		}
	}
	return false
}

// judge looks at the whole of what was read.
func (r *reader) judge() {
	r.judgeAge()
	r.judgeColumns()
	r.judgeBudget()
}

// judgeAge compares the export with the last accepted one, and with the clock.
func (r *reader) judgeAge() {
	if o := r.opts; o.MaxAge > 0 && !o.Now.IsZero() && !r.written.IsZero() && o.Now.Sub(r.written) > o.MaxAge {
		r.doubt(fmt.Sprintf("the export is %d days old, written on %s: expected at most %d days",
			int(o.Now.Sub(r.written).Hours()/24), r.written.Format(time.DateOnly), int(o.MaxAge.Hours()/24)))
	}
	last := r.opts.Last
	if last == nil || r.opts.AllowOlder || r.fingerprint() == last.Fingerprint {
		return
	}
	// Equal contents at a later time are no older export: what was wrong for a
	// night may be as it was before.
	if r.written.Before(last.Written) {
		r.errs.add(schoolmail.Position{}, ErrOlder, "written on %s; the last accepted one on %s",
			r.written.Format(time.DateTime), last.Written.Format(time.DateTime))
	}
}

// judgeColumns compares the columns with those of the last accepted export.
func (r *reader) judgeColumns() {
	last := r.opts.Last
	if last == nil || r.opts.AllowColumns {
		return
	}
	for _, sort := range sortedKeys(r.columnsSeen) {
		before, known := last.Columns[sort]
		if !known {
			continue
		}
		var changes []string
		add := func(what string, titles, others []string) {
			for _, t := range titles {
				same := func(o string) bool { return foldTitle(o) == foldTitle(t) }
				if !slices.ContainsFunc(others, same) {
					changes = append(changes, what+" "+strconv.Quote(t))
				}
			}
		}
		add("gone:", before, r.columnsSeen[sort])
		add("new:", r.columnsSeen[sort], before)
		if len(changes) > 0 {
			r.errs.add(schoolmail.Position{}, ErrColumnsChanged,
				"files %s: %s; expected those of the last accepted export, or that somebody confirms them", sort,
				strings.Join(changes, ", "))
		}
	}
}
