package site

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/site/report"
)

// mistakes are the texts that say to the school administration what is wrong with a
// row. Each may name the title of the column.
var mistakes = map[schoolmail.RejectionKind]string{
	schoolmail.RejectedUnreadable:    "mistake.row",
	schoolmail.RejectedMissing:       "mistake.missing",
	schoolmail.RejectedValue:         "mistake.value",
	schoolmail.RejectedLettersLost:   "mistake.letters-lost",
	schoolmail.RejectedContradiction: "mistake.contradiction",
	schoolmail.RejectedDoubleID:      "mistake.double-id",
	schoolmail.RejectedReference:     "mistake.reference",
	schoolmail.RejectedForeign:       "mistake.foreign",
	schoolmail.RejectedRepeat:        "mistake.repeat",
}

// told are the findings that concern what was delivered.
var told = map[string]string{
	"double-record": "told.double-record", "record-case": "told.record-case", "unusable-record": "told.unusable-record",
	"no-population": "told.no-population", "other-person": "told.other-person", "new-id": "told.new-id",
	"double-person": "told.double-person", "double-account": "told.double-account", "no-address": "told.no-address",
	"move-suspended": "told.move-suspended", "school-not-delivered": "told.school-not-delivered",
	"no-spelling": "told.no-spelling", "new-school": "told.new-school", "unknown-columns": "told.unknown-columns",
	"source-suspended": "told.source-suspended", "incomplete-delivery": "told.incomplete-delivery",
}

// details say what a reader of exports has expected, by what it says in English. What
// is between brackets is filled in.
var details = []struct {
	reason *regexp.Regexp
	key    string
}{
	{regexp.MustCompile(`^expected a date as (\S+), or nothing$`), "detail.date"},
	{regexp.MustCompile(`^expected one mail address, or nothing$`), "detail.address"},
	{regexp.MustCompile(`^expected a telephone number, or nothing$`), "detail.telephone"},
	{regexp.MustCompile(`^expected de, fr, it or en, or nothing$`), "detail.language"},
	{regexp.MustCompile(`^expected an AHV number`), "detail.ahv"},
	{regexp.MustCompile(`^empty: expected a name$`), "detail.name"},
	{regexp.MustCompile(`^no letter: expected a name$`), "detail.no-letter"},
	{regexp.MustCompile(`^a character that was lost `), "detail.lost"},
	{regexp.MustCompile(`^a control character`), "detail.control"},
	{regexp.MustCompile(`^empty: expected the person's id$`), "detail.id"},
	{regexp.MustCompile(`^a number that a spreadsheet has rounded `), "detail.id-rounded"},
	{regexp.MustCompile(`^expected at most 64 ASCII characters`), "detail.id-form"},
	{regexp.MustCompile(`^empty: expected the code of the school$`), "detail.school"},
	{regexp.MustCompile(`^expected the code of a school`), "detail.school-form"},
	{regexp.MustCompile(`^empty for a pupil: expected the name of the class$`), "detail.class"},
	{regexp.MustCompile(`^expected at most 32 letters`), "detail.class-form"},
	{regexp.MustCompile(`^(?:empty for a pupil: )?expected (".*)$`), "detail.codes"},
	{regexp.MustCompile(`^before the date in column "(.*)": expected`), "detail.before"},
	{regexp.MustCompile(`^(\d+) fields: expected (\d+) as in the header$`), "detail.fields"},
	{regexp.MustCompile(`^a quote in the middle|^text after a closing quote|^a quoted field is not closed`),
		"detail.quotes"},
	{regexp.MustCompile(`^no line end`), "detail.cut"},
	{regexp.MustCompile(`^a row after the trailer`), "detail.after-end"},
	{regexp.MustCompile(`^repeats (\S+)$`), "detail.repeats"},
	{regexp.MustCompile(`^the same id stands at (\S+) with another name`), "detail.same-id"},
	{regexp.MustCompile(`^the same id as (\S+) with another name`), "detail.stranger"},
	{regexp.MustCompile(`^differs only in case from the id at (\S+):`), "detail.case"},
	{regexp.MustCompile(`^not as in (\S+): expected the same in all rows`), "detail.differs"},
	{regexp.MustCompile(`^not as in (\S+): expected one level`), "detail.level"},
	{regexp.MustCompile(`^not as in other rows of the person`), "detail.one-taken"},
	{regexp.MustCompile(`^more than 1000 different rows`), "detail.too-many"},
	{regexp.MustCompile(`^refers to a row of "(.*)" that is not there`), "detail.reference"},
	{regexp.MustCompile(`^(\d+) of (\d+) rows of this school cannot be read`), "detail.school-left"},
}

// code is one of the codes that a reader has expected, with what it means in brackets.
var code = regexp.MustCompile(`("[^"]*")( \([a-z]+\))?`)

// detail says what a reader has expected. What is said in English only may name other
// people's schools.
func detail(reason string) report.Note {
	for _, d := range details {
		found := d.reason.FindStringSubmatch(reason)
		if found == nil {
			continue
		}
		args := found[1:]
		switch d.key {
		case "detail.date":
			args = []string{strings.NewReplacer("dd", "31", "mm", "12", "yyyy", "2026").Replace(found[1])}
		case "detail.codes":
			var codes []string
			for _, c := range code.FindAllStringSubmatch(found[1], -1) {
				codes = append(codes, c[1])
			}
			args = []string{strings.Join(codes, ", ")}
		}
		return report.NewNote(d.key, args...)
	}
	return report.Note{Text: reason}
}

// acknowledgement is what the school administration is told about its delivery:
// a line for each record, or row without an id, that was not taken as it was sent.
type acknowledgement struct {
	lines    []*ackLine
	index    map[string]*ackLine
	delivery *schoolmail.Delivery
	asked    int                                            // how often for the schools of a record
	schools  map[schoolmail.RecordKey][]schoolmail.SchoolID // of all people of the delivery, when many are asked for
}

// ackLine has what several mistakes of a record have to say.
type ackLine []ackEntry

// ackEntry is one of them.
type ackEntry struct {
	where, id  string
	schools    []schoolmail.SchoolID // whose business it is
	says, what report.Note
	waits      bool // there is nothing to correct
}

// note adds to the line of a record; where there is no id, to the line called other.
func (a *acknowledgement) note(key schoolmail.RecordKey, other string, e ackEntry) {
	if key.ID != "" {
		other = "record " + key.String()
	}
	l := a.index[other]
	if l == nil {
		l = &ackLine{}
		a.index[other] = l
		a.lines = append(a.lines, l)
	}
	e.id = key.ID
	if len(e.schools) == 0 {
		e.schools = a.schoolsOf(key)
	}
	*l = append(*l, e)
}

// at is a list of the school, if there is one.
func at(s schoolmail.SchoolID) []schoolmail.SchoolID {
	if s == "" {
		return nil
	}
	return []schoolmail.SchoolID{s}
}

func newAcknowledgement(d *schoolmail.Delivery) *acknowledgement {
	return &acknowledgement{index: map[string]*ackLine{}, delivery: d}
}

// schoolsOf returns the schools that a record has been delivered for.
func (a *acknowledgement) schoolsOf(key schoolmail.RecordKey) []schoolmail.SchoolID {
	if key.ID == "" {
		return nil
	}
	if a.asked++; a.asked <= fewAsked {
		var schools []schoolmail.SchoolID
		for i := range a.delivery.Records {
			if r := &a.delivery.Records[i]; r.Key == key {
				schools = addSchools(schools, r)
			}
		}
		return schools
	}
	if a.schools == nil {
		a.schools = map[schoolmail.RecordKey][]schoolmail.SchoolID{}
		for i := range a.delivery.Records {
			r := &a.delivery.Records[i]
			a.schools[r.Key] = addSchools(a.schools[r.Key], r)
		}
	}
	return a.schools[key]
}

// fewAsked is how many records are looked for one by one, before it is worth to know
// them all.
const fewAsked = 20

func addSchools(list []schoolmail.SchoolID, r *schoolmail.Record) []schoolmail.SchoolID {
	for _, m := range r.Memberships {
		list = append(list, m.School)
	}
	return list
}

func acknowledge(d *schoolmail.Delivery, p *schoolmail.Plan, r *schoolmail.Result) *acknowledgement {
	a := newAcknowledgement(d)
	for _, x := range d.Rejected {
		key, ok := mistakes[x.Kind]
		if !ok {
			key = "mistake.other"
		}
		row := schoolmail.Position{File: x.File, Line: x.Line}.String()
		a.note(x.Key, row, ackEntry{where: row, schools: at(x.School), says: report.NewNote(key, x.Column),
			what: detail(x.Reason)})
	}
	for _, f := range p.Findings {
		if key, ok := told[f.Kind]; ok {
			a.note(f.Key, f.Kind+" "+string(f.School), ackEntry{schools: at(f.School), says: report.NewNote(key),
				what: report.Note{Text: f.Text}})
		}
	}
	for _, h := range p.Held {
		key := "told.waits"
		// A finding has told what is to be decided, or nothing is wrong with what was sent, as
		// where somebody may have an account already.
		decided := slices.Contains([]string{"identity", "spelling", "new-schools"}, h.Guard)
		switch k := h.Step.Kind(); {
		case h.Step.Key.ID == "", k == schoolmail.KindDeactivate, k == schoolmail.KindPurge, k == schoolmail.KindDropCopy,
			h.Guard == "hold": // nor is it anybody's business who is on hold
			continue // not about what was sent
		case k == schoolmail.KindNotice:
			key = "told.absent"
		case decided && a.index["record "+h.Step.Key.String()] != nil:
			continue
		case h.Guard != "" && !decided:
			key = "told.held"
		}
		a.note(h.Step.Key, "", ackEntry{schools: at(h.Step.School), says: report.NewNote(key),
			what: report.Note{Text: string(h.Step.Kind()) + ": " + h.Why}, waits: true})
	}
	if r == nil {
		return a
	}
	for i, o := range r.Outcomes {
		// What was skipped waits for another step of the same person, or for the next run.
		if s := p.Steps[i]; o.Status == schoolmail.StatusFailed && s.Key.ID != "" {
			a.note(s.Key, "", ackEntry{schools: at(s.School), says: report.NewNote("told.failed"),
				what: report.Note{Text: string(s.Kind()) + ": " + string(o.Status)}, waits: true})
		}
	}
	return a
}

// refuse is the acknowledgement of a delivery that cannot be used at all; nil
// if the error is not about the delivery.
func refuse(err error) *acknowledgement {
	errs, ok := errors.AsType[escada.Errors](err)
	if !ok {
		return nil
	}
	a := newAcknowledgement(&schoolmail.Delivery{})
	for i, e := range errs {
		kind := string(e.Kind)
		if kind == "" {
			kind = "other"
		}
		a.note(schoolmail.RecordKey{}, strconv.Itoa(i), ackEntry{where: e.Position.String(),
			says: report.NewNote("delivery." + kind), what: report.Note{Text: e.Error()}})
	}
	return a
}

// whole is the acknowledgement for the school administration.
func (a *acknowledgement) whole() *report.Acknowledgement {
	out := &report.Acknowledgement{}
	for _, l := range a.lines {
		out.Lines = append(out.Lines, l.line(func(*ackEntry) bool { return true }))
	}
	return out
}

// bySchool are the parts of an acknowledgement that concern one school each: of its
// own people, and of these only what is said about this school; correct leaves out what
// only waits.
func (a *acknowledgement) bySchool(correct bool) map[schoolmail.SchoolID]*report.Acknowledgement {
	parts := map[schoolmail.SchoolID]*report.Acknowledgement{}
	for _, l := range a.lines {
		var schools []schoolmail.SchoolID
		for _, e := range *l {
			schools = append(schools, e.schools...)
		}
		slices.Sort(schools)
		for _, s := range slices.Compact(schools) {
			line := l.line(func(e *ackEntry) bool { return slices.Contains(e.schools, s) && !(correct && e.waits) })
			if len(line.Says) == 0 {
				continue
			}
			line.School = []string{string(s)}
			line.Detail = slices.DeleteFunc(line.Detail, func(n report.Note) bool { return n.Key == "" })
			if parts[s] == nil {
				parts[s] = &report.Acknowledgement{}
			}
			parts[s].Lines = append(parts[s].Lines, line)
		}
	}
	return parts
}

// line is a line with some of its entries.
func (l *ackLine) line(wanted func(*ackEntry) bool) report.AckLine {
	var out report.AckLine
	add := func(list *[]string, s string) {
		if s != "" && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for i := range *l {
		e := &(*l)[i]
		if !wanted(e) {
			continue
		}
		add(&out.Where, e.where)
		add(&out.ID, e.id)
		for _, s := range e.schools {
			add(&out.School, string(s))
		}
		out.Says = append(out.Says, e.says)
		if e.what.Text != "" {
			out.Detail = append(out.Detail, e.what)
		}
	}
	return out
}
