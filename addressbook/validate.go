package addressbook

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

var (
	ownerPattern       = regexp.MustCompile(`^[a-z0-9-]{1,20}$`)
	rulePattern        = regexp.MustCompile(`^[\pL\pN _.-]{1,60}$`) // no "/": keys of books are made of it
	placeholderPattern = regexp.MustCompile(`\{[^{}]*\}`)
)

// Validate reports all mistakes of the rules, joined with [errors.Join], or nil.
func (r Rules) Validate() error {
	v := &validator{}
	if r.Owner != "" && !ownerPattern.MatchString(r.Owner) {
		v.errorf("owner %q: expected 1 to 20 lower-case letters, digits or \"-\"", r.Owner)
	}
	if r.GraceDays < -1 {
		v.errorf("grace_days %d: expected -1 (none), 0 (14 days) or a number of days", r.GraceDays)
	}
	if r.MaxGonePercent < 0 || r.MaxGonePercent > 100 {
		v.errorf("max_gone_percent %d: expected 0 (50) to 100 (no limit)", r.MaxGonePercent)
	}
	if r.MaxGrowthPercent < -1 {
		v.errorf("max_growth_percent %d: expected -1 (no limit), 0 (50) or a percentage", r.MaxGrowthPercent)
	}
	for i, x := range r.Exclude {
		if (x.ID == "") == (x.Username == "") {
			v.errorf("exclude[%d]: expected either id or username", i)
		}
	}
	v.schools(r.Schools)
	v.show("show", r.Show)
	if len(r.Books) == 0 {
		v.errorf("books: none; every book that was made earlier would be removed")
	}
	names := map[string]bool{}
	places := map[string]string{}
	for i, b := range r.Books {
		where := fmt.Sprintf("books[%d]", i)
		if b.Name == "" {
			v.errorf("%s: name is missing", where)
		} else {
			where = fmt.Sprintf("book %q", b.Name)
			if names[b.Name] {
				v.errorf("%s: the name is used twice", where)
			}
			names[b.Name] = true
			if !rulePattern.MatchString(b.Name) {
				v.errorf("%s: name: expected 1 to 60 letters, digits, blanks, \"-\", \"_\" or \".\"", where)
			}
		}
		v.book(where, b)
		place := strings.ToLower(strings.Join(b.Folder, "\x00"))
		if other, ok := places[place]; ok && len(b.Schools) == 0 {
			v.errorf("%s: has the same folder as book %q", where, other)
		}
		places[place] = b.Name
	}
	return errors.Join(v.errs...)
}

type validator struct{ errs []error }

func (v *validator) errorf(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("addressbook: rules: "+format, args...))
}

func (v *validator) schools(schools []School) {
	ids, names := map[schoolmail.SchoolID]bool{}, map[string]schoolmail.SchoolID{}
	for _, s := range schools {
		if s.ID == "" || titleText(s.Name) == "" {
			v.errorf("school %q: id and name are needed", s.ID)
			continue
		}
		if ids[s.ID] {
			v.errorf("school %q: listed twice", s.ID)
		}
		ids[s.ID] = true
		folded := strings.ToLower(titleText(s.Name))
		if other, ok := names[folded]; ok {
			v.errorf("school %q: has the same name as school %q", s.ID, other)
		}
		names[folded] = s.ID
	}
}

func (v *validator) show(where string, shows []Show) {
	seen := map[schoolmail.Role]bool{}
	for _, s := range shows {
		if !s.Role.Valid() {
			v.errorf("%s: role %q: expected pupil, teacher or staff", where, s.Role)
		}
		if seen[s.Role] {
			v.errorf("%s: role %q: listed twice", where, s.Role)
		}
		seen[s.Role] = true
		for _, to := range s.To {
			if !to.Valid() {
				v.errorf("%s: to %q: expected pupil, teacher or staff", where, to)
			}
		}
		for _, f := range s.Fields {
			if !slices.Contains([]Field{FieldPhone, FieldSchool, FieldClass}, f) {
				v.errorf("%s: role %q: field %q: expected phone, school or class", where, s.Role, f)
			} else if s.Role == schoolmail.RolePupil {
				v.errorf("%s: field %q of pupils: of pupils only name and mail address are shown", where, f)
			}
		}
	}
}

func (v *validator) book(where string, b BookRule) {
	order := []Scope{District, PerSchool, PerClass}
	size := slices.Index(order, b.Each)
	if size < 0 {
		v.errorf("%s: each %q: expected district, school or class", where, b.Each)
		size = len(order)
	}
	v.roles(where+": roles", b.Roles)
	v.show(where+": show", b.Show)
	if len(b.Readers) == 0 {
		v.errorf("%s: readers: none; nobody could see the book", where)
	}
	for i, rd := range b.Readers {
		at := fmt.Sprintf("%s: readers[%d]", where, i)
		v.roles(at+": roles", rd.Roles)
		if of := slices.Index(order, rd.Of); of < 0 {
			v.errorf("%s: of %q: expected district, school or class", at, rd.Of)
		} else if of > size {
			v.errorf("%s: of %q: a book for each %s has no %s", at, rd.Of, b.Each, rd.Of)
		}
		if rd.Ungrouped != "" && !slices.Contains([]Ungrouped{UngroupedSingly, UngroupedTogether, UngroupedOut},
			rd.Ungrouped) {
			v.errorf("%s: ungrouped %q: expected users, everyone or nobody", at, rd.Ungrouped)
		}
		if rd.Ungrouped == UngroupedOut && len(rd.Groups) == 0 {
			v.errorf("%s: ungrouped \"nobody\" needs groups", at)
		}
		for _, g := range rd.Groups {
			v.template(at+": group", g, b.Each, false)
		}
	}
	if len(b.Folder) == 0 {
		v.errorf("%s: folder is missing", where)
	} else {
		for _, t := range b.Folder {
			if titleText(t) == "" {
				v.errorf("%s: folder: empty title", where)
			}
		}
		v.template(where+": folder", strings.Join(b.Folder, "/"), b.Each, true)
	}
	if b.List != "" {
		v.template(where+": list", b.List, b.Each, false)
	}
}

func (v *validator) roles(where string, roles []schoolmail.Role) {
	if len(roles) == 0 {
		v.errorf("%s: none", where)
	}
	for _, role := range roles {
		if !role.Valid() {
			v.errorf("%s: %q: expected pupil, teacher or staff", where, role)
		}
	}
}

// template checks the placeholders. If distinct, the text must differ from
// book to book.
func (v *validator) template(where, text string, each Scope, distinct bool) {
	found := placeholderPattern.FindAllString(text, -1)
	for _, p := range found {
		switch p {
		case "{school}", "{school_id}":
			if each == District {
				v.errorf("%s: %s: a book for the district has no school", where, p)
			}
		case "{class}":
			if each != PerClass {
				v.errorf("%s: %s: a book for each %s has no class", where, p, each)
			}
		default:
			v.errorf("%s: %s: expected {school}, {school_id} or {class}", where, p)
		}
	}
	if !distinct {
		return
	}
	if each != District && !slices.Contains(found, "{school}") && !slices.Contains(found, "{school_id}") {
		v.errorf("%s: needs {school} or {school_id}, otherwise the books of all schools fall together", where)
	}
	if each == PerClass && !slices.Contains(found, "{class}") {
		v.errorf("%s: needs {class}, otherwise the books of all classes fall together", where)
	}
}
