package escada

import (
	"fmt"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// Budget says how much may be wrong with an export, and so what a mistake costs.
// A mistake in the structure of a file always costs the whole export, one in a
// row its person. Of many, these shares decide; the zero value means the
// defaults, a negative number no limit.
type Budget struct {
	// Rows is the share of rejected rows, in percent, from which the whole export
	// is refused (ErrTooManyRejected). Default 50.
	Rows int
	// School is the share of a school's rows, in percent, from which the whole
	// school is left as it is: all its people count as unreadable. Default 20.
	School int
	// Codes is the share of rows, in percent, with a role or level that the
	// profile does not know, from which the export is refused (ErrUnknownCodes):
	// that is no mistake of rows but another list of codes. Default 10.
	Codes int
	// Least is the number of rows up to which no share counts. Default 10.
	Least int
}

func (b Budget) withDefaults() Budget {
	for _, x := range []struct {
		value *int
		is    int
	}{{&b.Rows, 50}, {&b.School, 20}, {&b.Codes, 10}, {&b.Least, 10}} {
		if *x.value == 0 {
			*x.value = x.is
		}
	}
	return b
}

// over reports whether n of total is more than the share.
func (b Budget) over(n, total, percent int) bool {
	return percent > 0 && n > b.Least && n*100 > total*percent
}

// judgeBudget counts what was rejected against the budget.
func (r *reader) judgeBudget() {
	b := r.opts.Budget.withDefaults()
	rows, codes := map[place]bool{}, map[place]bool{}
	schools := map[schoolmail.SchoolID]map[place]bool{}
	for _, x := range r.fold.rejected {
		if x.Harmless || x.Kind == schoolmail.RejectedDoubleID {
			continue
		}
		rows[x.at] = true
		if x.Kind == schoolmail.RejectedValue && (x.Column == r.layout.title(ColumnRole) ||
			x.Column == r.layout.title(ColumnLevel)) {
			codes[x.at] = true
		}
		if x.School != "" {
			if schools[x.School] == nil {
				schools[x.School] = map[place]bool{}
			}
			schools[x.School][x.at] = true
		}
	}
	switch {
	case b.over(len(codes), r.rows, b.Codes):
		r.errs.add(schoolmail.Position{}, ErrUnknownCodes,
			"%d of %d rows have a role or level that the profile does not know", len(codes), r.rows)
	case b.over(len(rows), r.rows, b.Rows):
		r.errs.add(schoolmail.Position{}, ErrTooManyRejected, "%d of %d rows; is it the right profile?", len(rows), r.rows)
	}
	for _, school := range sortedKeys(schools) {
		n := len(schools[school])
		total := n
		if i := int(r.fold.schools.number(school)); i < len(r.fold.rows) {
			total += r.fold.rows[i]
		}
		if b.over(n, total, b.School) {
			r.fold.stopSchool(school, n, total)
		}
	}
}

// stopSchool leaves all people of a school as they are.
func (f *folder) stopSchool(school schoolmail.SchoolID, bad, total int) {
	number := f.schools.number(school)
	reason := fmt.Sprintf("%d of %d rows of this school cannot be read: the school is left as it is", bad, total)
	first := place{}
	for i := range f.size {
		p := f.get(i)
		if !p.known || !slices.ContainsFunc(f.staysOf(nil, p), func(s stay) bool { return s.school == number }) {
			continue
		}
		if first == (place{}) {
			first = p.first.at
			f.reject(p.first.at, fault{"", schoolmail.RejectedUnreadable, reason, false}, "", number)
		}
		if !p.bad {
			p.bad = true
			f.reject(p.first.at, fault{"", schoolmail.RejectedUnreadable, reason, false}, string(f.id(p)), number)
		}
	}
}
