package report

import (
	"io"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/page"
)

// School is what one school has to know of a run: of its own people, and in words that
// a school office understands. Whoever fills it leaves out what is not the school's
// business, above all other schools and why somebody is on hold.
type School struct {
	Language string
	From     string // who sends it
	Name     string
	Day      string // ISO 8601
	Planned  bool   // nothing of it is done yet
	New      []SchoolPerson
	Gone     []SchoolPerson
	Moved    []SchoolPerson
	Held     []SchoolPerson
	Correct  *Acknowledgement // nil: nothing
}

// SchoolPerson is a person of the school and what happens.
type SchoolPerson struct {
	Name    string // as it is shown; "": the person is named by Number
	Number  string // of the person in the school administration
	Classes []string
	Role    string // pupil, teacher or staff
	Mail    string
	Says    []Note
}

// Empty reports whether there is nothing to tell.
func (s *School) Empty() bool {
	return len(s.New)+len(s.Gone)+len(s.Moved)+len(s.Held) == 0 && (s.Correct == nil || len(s.Correct.Lines) == 0)
}

// schoolPart is a table of the page, or lists of people of whom the same is said.
type schoolPart struct {
	ID, Title string
	Mail      bool // a column with addresses, instead of sentences
	Rows      []schoolRow
	Groups    []schoolGroup
}

type schoolGroup struct {
	Says string
	Rows []schoolRow
}

type schoolRow struct{ Name, Class, Mail, Says string }

// WriteHTML writes the page of the school in its language.
func (s *School) WriteHTML(w io.Writer) error {
	t := book.In(s.Language)
	var parts []schoolPart
	for _, p := range []struct {
		id, title string
		people    []SchoolPerson
	}{
		{"new", t.Say("school.new"), s.New}, {"gone", t.Say("school.gone"), s.Gone},
		{"moved", t.Say("school.moved"), s.Moved}, {"held", t.Say("school.held"), s.Held},
	} {
		if len(p.people) > 0 {
			part := schoolPart{ID: p.id, Title: p.title, Mail: p.id == "new", Rows: schoolRows(t, p.people)}
			if p.id == "held" {
				part.Groups = schoolGroups(part.Rows)
			}
			parts = append(parts, part)
		}
	}
	v := struct {
		*School
		Heading string
		Parts   []schoolPart
		Lines   []ackGroup
		Correct int
	}{s, t.Say("school.title", s.Name, t.Day(s.Day)), parts, nil, 0}
	if s.Correct != nil {
		v.Lines, v.Correct = ackGroups(s.Correct.rows(t)), len(s.Correct.Lines)
	}
	return book.Write(w, "school.html.tmpl", s.Language, v)
}

// schoolGroups puts people together of whom the same is said.
func schoolGroups(rows []schoolRow) []schoolGroup {
	var groups []schoolGroup
	for _, r := range rows {
		i := slices.IndexFunc(groups, func(g schoolGroup) bool { return g.Says == r.Says })
		if i < 0 {
			i = len(groups)
			groups = append(groups, schoolGroup{Says: r.Says})
		}
		groups[i].Rows = append(groups[i].Rows, r)
	}
	return groups
}

func schoolRows(t page.Texts, people []SchoolPerson) []schoolRow {
	rows := make([]schoolRow, len(people))
	for i, p := range people {
		r := schoolRow{Name: p.Name, Class: strings.Join(p.Classes, ", "), Mail: p.Mail,
			Says: sentences(t, p.Says, " ")}
		if r.Name == "" {
			r.Name = t.Say("school.nameless", p.Number)
		}
		if r.Class == "" && p.Role != "" {
			r.Class = t.Or("role.", p.Role)
		}
		rows[i] = r
	}
	return rows
}
