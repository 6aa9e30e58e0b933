package site

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/report"
)

// Pages say in which languages the pages are that a run leaves.
type Pages struct {
	Language string // of the site's own: de, fr or en; "": English
	Schools  map[schoolmail.SchoolID]SchoolPage
}

// SchoolPage says what the page of a school is like.
type SchoolPage struct {
	Name     string // of the school; "": its code
	Language string // "": that of the site's pages
}

func pages(c *district.Config) Pages {
	p := Pages{Language: c.Site.ReportLanguage, Schools: map[schoolmail.SchoolID]SchoolPage{}}
	for _, s := range c.Schools {
		p.Schools[s.ID] = SchoolPage{Name: s.Name, Language: s.Language}
	}
	return p
}

// schoolPages are the pages of the schools that there is something to tell.
func (a *Act) schoolPages(rep *report.Report, ack *acknowledgement) map[schoolmail.SchoolID]*report.School {
	b := schoolPages{act: a, all: map[schoolmail.SchoolID]*report.School{}, from: rep.Title, language: rep.Language}
	for i := range a.Plan.Steps {
		b.step(i)
	}
	for i := range a.Plan.Held {
		b.held(&a.Plan.Held[i])
	}
	if ack != nil {
		for id, part := range ack.bySchool(true) {
			b.at(id).Correct = part
		}
	}
	for _, s := range b.all {
		for _, list := range [][]report.SchoolPerson{s.New, s.Gone, s.Moved, s.Held} {
			slices.SortStableFunc(list, func(x, y report.SchoolPerson) int {
				return cmp.Or(cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), cmp.Compare(x.Number, y.Number))
			})
		}
	}
	return b.all
}

// schoolPages puts together what each school has to know: of its own people, and of
// these only what is about the school.
type schoolPages struct {
	act            *Act
	all            map[schoolmail.SchoolID]*report.School
	from, language string
}

func (b *schoolPages) at(id schoolmail.SchoolID) *report.School {
	if b.all[id] == nil {
		p := b.act.pages.Schools[id]
		b.all[id] = &report.School{Language: cmp.Or(p.Language, b.language), From: b.from,
			Name: cmp.Or(p.Name, string(id)), Day: b.act.Plan.Header.Now.String(), Planned: b.act.Result == nil}
	}
	return b.all[id]
}

// step tells all schools of a person of a step.
func (b *schoolPages) step(i int) {
	s := &b.act.Plan.Steps[i]
	if s.Key.IsZero() {
		return
	}
	before, after := s.Accounts()
	for _, id := range schoolsOf(before, after) {
		list, says := b.about(s, id, before, after)
		if list == nil {
			continue
		}
		p := personAt(s, id, before, after)
		p.Says = says
		if !b.act.done(i) {
			page := b.at(id)
			p.Mail = ""
			p.Says = []report.Note{report.NewNote("held." + string(s.Kind())), report.NewNote("says.failed")}
			page.Held = append(page.Held, p)
			continue
		}
		*list = append(*list, p)
	}
}

// about returns in which list of a school's page a step belongs, and what is said of
// it; nil: it is not the school's business.
func (b *schoolPages) about(s *schoolmail.Step, id schoolmail.SchoolID,
	before, after *schoolmail.Account) (*[]report.SchoolPerson, []report.Note) {
	var says string
	switch a := s.Action.(type) {
	case schoolmail.CreateAccount:
		return &b.at(id).New, nil
	case schoolmail.SendNotice:
		says = "says.notice"
		if b.act.Result == nil {
			says = "says.notice.planned"
		}
		return &b.at(id).Gone, []report.Note{report.NewNote(says, a.Due.String())}
	case schoolmail.SendReminder:
		return &b.at(id).Gone, []report.Note{report.NewNote("says.remind", a.Due.String())}
	case schoolmail.Rename:
		return &b.at(id).Moved, []report.Note{report.NewNote("says.rename", a.After.Mail)}
	case schoolmail.Deactivate:
		return &b.at(id).Gone, []report.Note{report.NewNote("says.deactivate")}
	case schoolmail.Purge:
		return &b.at(id).Gone, []report.Note{report.NewNote("says.purge")}
	case schoolmail.CancelNotice:
		return &b.at(id).Moved, []report.Note{report.NewNote("says.cancel-notice")}
	case schoolmail.Reactivate:
		return &b.at(id).Moved, []report.Note{report.NewNote("says.reactivate")}
	}
	notes, parts := changesAt(id, before, after)
	switch {
	case len(notes) == 0:
		return nil, nil
	case parts:
		return &b.at(id).Gone, notes
	}
	return &b.at(id).Moved, notes
}

// changesAt says what has changed about a person at a school; parts: the person is not
// there any more.
func changesAt(id schoolmail.SchoolID, before, after *schoolmail.Account) (says []report.Note, parts bool) {
	if before == nil || after == nil {
		return nil, false
	}
	was, is := membershipAt(before, id), membershipAt(after, id)
	switch {
	case was == nil && is == nil:
		return nil, false
	case is == nil:
		return []report.Note{report.NewNote("says.parts")}, true
	case was == nil:
		says = append(says, report.NewNote("says.joins"))
		if len(is.Classes) > 0 {
			says = append(says, report.NewNote("says.class.new", strings.Join(is.Classes, ", ")))
		}
		return says, false
	}
	if old, now := strings.Join(was.Classes, ", "), strings.Join(is.Classes, ", "); old != now {
		switch {
		case now == "":
			says = append(says, report.NewNote("says.class.none", old))
		case old == "":
			says = append(says, report.NewNote("says.class.new", now))
		default:
			says = append(says, report.NewNote("says.class", now, old))
		}
	}
	if old, now := fullName(before), fullName(after); old != now && old != "" && now != "" {
		says = append(says, report.NewNote("says.named", now, old))
	}
	if before.Role != after.Role {
		says = append(says, report.NewNote("says.role", "role."+string(after.Role), "role."+string(before.Role)))
	}
	return says, false
}

// held tells the schools of a person what is held back. Who is on hold, and copies that
// wait, are not their business.
func (b *schoolPages) held(h *schoolmail.Held) {
	s := &h.Step
	switch k := s.Kind(); {
	case s.Key.IsZero(), h.Guard == "hold", k == schoolmail.KindDropCopy, k == schoolmail.KindCreateContext:
		return
	}
	before, after := s.Accounts()
	for _, id := range schoolsOf(before, after) {
		if s.Kind() == schoolmail.KindTransfer {
			if notes, _ := changesAt(id, before, after); len(notes) == 0 {
				continue // it is only the mailbox that would move
			}
		}
		p := personAt(s, id, before, after)
		p.Mail = ""
		why := heldWhy(h)
		if why == "held.many" && id != s.School {
			why = "held.waits"
		}
		p.Says = []report.Note{report.NewNote("held." + string(s.Kind())), report.NewNote(why)}
		page := b.at(id)
		page.Held = append(page.Held, p)
	}
}

// heldWhy is the text that says to a school why a step is held.
func heldWhy(h *schoolmail.Held) string {
	switch h.Guard {
	case "identity":
		return "held.identity"
	case "spelling":
		return "held.spelling"
	case "new-schools":
		return "held.new-school"
	case "collapse":
		return "held.collapse"
	case "leavers", "deactivations", "roles", "renames", "schools", "memberships", "classes", "access", "private-mail",
		"languages", "telephones", "birth-dates":
		return "held.many"
	case "":
		if h.Step.Kind() == schoolmail.KindNotice {
			return "held.absent"
		}
	}
	return "held.waits"
}

// schoolsOf are the schools of a person before and after, sorted.
func schoolsOf(before, after *schoolmail.Account) []schoolmail.SchoolID {
	var ids []schoolmail.SchoolID
	for _, a := range []*schoolmail.Account{before, after} {
		if a != nil {
			for i := range a.Memberships {
				ids = append(ids, a.Memberships[i].School)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func membershipAt(a *schoolmail.Account, id schoolmail.SchoolID) *schoolmail.Membership {
	for i := range a.Memberships {
		if a.Memberships[i].School == id {
			return &a.Memberships[i]
		}
	}
	return nil
}

// personAt is a person as a school knows them.
func personAt(s *schoolmail.Step, id schoolmail.SchoolID, before, after *schoolmail.Account) report.SchoolPerson {
	a := after
	if a == nil || membershipAt(a, id) == nil && before != nil {
		a = before
	}
	p := report.SchoolPerson{Name: a.DisplayName, Number: s.Key.ID, Role: string(a.Role)}
	if m := membershipAt(a, id); m != nil {
		p.Classes = m.Classes
	}
	if s.Kind() == schoolmail.KindCreate {
		p.Mail = a.Mail
	}
	return p
}

func fullName(a *schoolmail.Account) string {
	return strings.TrimSpace(a.GivenName + " " + a.FamilyName)
}

// historyDays is how far back the pictures of the year go.
const historyDays = 366

// nightsOf are the nights of the kept runs of the year before the last of some acts, and
// these acts themselves.
func nightsOf(acts []*Act) []report.Night {
	if len(acts) == 0 {
		return nil
	}
	var nights []report.Night
	last := acts[len(acts)-1].Plan.Header.Now
	own := map[string]bool{}
	for _, a := range acts {
		own[a.Folder] = true
		r := a.Report()
		nights = append(nights, r.Night())
	}
	dir := acts[len(acts)-1].runs
	runs, err := os.ReadDir(dir)
	if err != nil {
		return nights // there are none yet
	}
	for _, d := range runs {
		folder := filepath.Join(dir, d.Name())
		day, _, ok := cutDay(d.Name())
		if !ok || own[folder] || day > last || day < last.AddDays(-historyDays) {
			continue
		}
		nights = append(nights, keptNights(folder)...)
	}
	return nights
}

// cutDay cuts the day off the name of a run's folder.
func cutDay(name string) (day schoolmail.Date, plan string, ok bool) {
	const form = "2006-01-02"
	if len(name) <= len(form)+1 || name[len(form)] != '-' {
		return 0, "", false
	}
	day, err := schoolmail.ParseDate(name[:len(form)])
	return day, name[len(form)+1:], err == nil
}

// keptNights are those of a kept run; none if its report cannot be read, as after a run
// that was cut off.
func keptNights(folder string) []report.Night {
	b, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		return nil
	}
	var r struct {
		Acts []struct {
			Day      string         `json:"day"`
			Steps    []report.Steps `json:"steps"`
			Contexts []report.Fill  `json:"contexts"`
		} `json:"acts"`
	}
	if json.Unmarshal(b, &r) != nil {
		return nil
	}
	var nights []report.Night
	for _, x := range r.Acts {
		a := report.Act{Day: x.Day, Steps: x.Steps, Contexts: x.Contexts}
		nights = append(nights, a.Night())
	}
	return nights
}
