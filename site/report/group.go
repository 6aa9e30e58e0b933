package report

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/page"
)

// shown is how many subjects of a group, or single failures and findings, text
// and HTML show; JSON has all.
const (
	shownSubjects = 8
	shownItems    = 200
)

// Group is a number of held steps with the same reason.
type Group struct {
	Kind, School, Why, Guard string
	Subjects                 []string
}

// Count returns the number of steps in the group.
func (g Group) Count() int { return len(g.Subjects) }

// Names lists the first subjects.
func (g Group) Names() string {
	if len(g.Subjects) <= shownSubjects {
		return strings.Join(g.Subjects, ", ")
	}
	return strings.Join(g.Subjects[:shownSubjects], ", ") + ", ..."
}

// Reason is why the steps are held back, with the guard that an override lifts.
func (g Group) Reason() string {
	if g.Guard == "" {
		return g.Why
	}
	return g.Why + " (guard " + g.Guard + ")"
}

// HeldGroups puts held steps with the same reason together.
func (a *Act) HeldGroups() []Group {
	var groups []Group
	index := map[Held]int{}
	for _, h := range a.Held {
		key := h
		key.Subject = ""
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, Group{Kind: h.Kind, School: h.School, Why: h.Why, Guard: h.Guard})
		}
		groups[i].Subjects = append(groups[i].Subjects, h.Subject)
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Guard, b.Guard), cmp.Compare(a.School, b.School), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Why, b.Why))
	})
	return groups
}

// otherCause is that of failures of which none is known.
const otherCause = "other"

// incident is the number that Open-Xchange gives each failure.
var incident = regexp.MustCompile(` \(exceptionId [^)]*\)`)

// FailureGroup is a number of steps that have failed for the same cause.
type FailureGroup struct {
	Kind, Error string // Error with "..." for the name of whom it is about
	Cause       string // see [Failure]
	Subjects    []string
}

// Names lists at most three subjects.
func (g FailureGroup) Names() string {
	if len(g.Subjects) <= 3 {
		return strings.Join(g.Subjects, ", ")
	}
	return strings.Join(g.Subjects[:3], ", ") + ", ..."
}

// FailureGroups puts failures of the same cause together, the most frequent first.
func (a *Act) FailureGroups() []FailureGroup {
	var groups []FailureGroup
	index := map[[2]string]int{}
	var texts []string // of the first in each group, as it is
	for _, f := range a.Failures {
		text := incident.ReplaceAllString(f.Error, "")
		if f.Subject != "" {
			text = strings.ReplaceAll(text, f.Subject, "...")
		}
		key := [2]string{f.Kind, text}
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, FailureGroup{Kind: f.Kind, Error: text, Cause: cmp.Or(f.Cause, otherCause)})
			texts = append(texts, f.Error)
		}
		groups[i].Subjects = append(groups[i].Subjects, f.Subject)
	}
	for i, g := range groups {
		if len(g.Subjects) == 1 {
			groups[i].Error = texts[i]
		}
	}
	slices.SortStableFunc(groups, func(x, y FailureGroup) int { return cmp.Compare(len(y.Subjects), len(x.Subjects)) })
	return groups
}

// first returns at most shownItems of a list and how many were left out.
func first[T any](list []T) ([]T, int) {
	if len(list) <= shownItems {
		return list, 0
	}
	return list[:shownItems], len(list) - shownItems
}

// matrix is the flow between contexts as a table.
type matrix struct {
	From, To []schoolmail.ContextID // row and column heads; 0 is outside
	cells    map[[2]schoolmail.ContextID]int
}

// newMatrix adds up flows; those of nobody are left out.
func newMatrix(flows []Flow) matrix {
	m := matrix{cells: map[[2]schoolmail.ContextID]int{}}
	for _, f := range flows {
		if f.People <= 0 {
			continue
		}
		m.cells[[2]schoolmail.ContextID{f.From, f.To}] += f.People
		if !slices.Contains(m.From, f.From) {
			m.From = append(m.From, f.From)
		}
		if !slices.Contains(m.To, f.To) {
			m.To = append(m.To, f.To)
		}
	}
	slices.Sort(m.From)
	// Whoever leaves is shown last.
	slices.SortFunc(m.To, func(a, b schoolmail.ContextID) int {
		if (a == 0) != (b == 0) {
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	})
	return m
}

// move is a flow as it is shown.
type move struct {
	From, To string
	People   int
}

// moves lists a matrix with the names of rows and columns.
func (m matrix) moves(t page.Texts, names map[schoolmail.ContextID]string) []move {
	var list []move
	for _, from := range m.From {
		for _, to := range m.To {
			if n := m.People(from, to); n > 0 {
				list = append(list, move{side(t, from, names, t.Say("moves.new")), side(t, to, names, t.Say("moves.gone")), n})
			}
		}
	}
	return list
}

// People returns the number who went from one context to the other.
func (m matrix) People(from, to schoolmail.ContextID) int {
	return m.cells[[2]schoolmail.ContextID{from, to}]
}

// contextNames maps ids to names.
func contextNames(fills []Fill) map[schoolmail.ContextID]string {
	names := map[schoolmail.ContextID]string{}
	for _, f := range fills {
		names[f.Context] = f.Name
	}
	return names
}
