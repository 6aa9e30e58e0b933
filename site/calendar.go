package site

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ictmedia/schoolmail"
)

// Closing is one thing that ends on a day: a mailbox closes, an account is removed for
// ever, or the old copy of a transfer goes; or somebody is reminded of it. It is the
// first day on which a run may do it.
type Closing struct {
	Day      schoolmail.Date
	What     string
	Key      schoolmail.RecordKey
	Username string
	School   schoolmail.SchoolID
	OnHold   bool // nothing is done as long as the hold lasts
}

// Calendar says what closes when, by what was read, unless the records come again;
// sorted by day. A selection (nil: all) limits it.
func (s *Site) Calendar(w *World, sel *schoolmail.Selection) []Closing {
	life := s.policy.WithDefaults().LifeCycle
	held := map[string]bool{}
	for _, h := range s.policy.Holds {
		held[h.ID] = held[h.ID] || h.Until >= w.Day
	}
	var list []Closing
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		if a.Key.Source != s.policy.Source || a.Key.ID == "" || !selects(sel, a) {
			continue
		}
		add := func(day schoolmail.Date, what string) {
			list = append(list, Closing{Day: day, What: what, Key: a.Key, Username: a.Username, School: firstSchool(a),
				OnHold: a.Held || held[a.Key.ID]})
		}
		switch {
		case a.State == schoolmail.Leaving && !a.NoticedOn.IsZero():
			closes := a.NoticedOn.AddDays(life.NoticeDays)
			add(closes, "the mailbox closes")
			for _, n := range life.RemindDays {
				if day := closes.AddDays(-n); day >= w.Day && a.RemindedOn < day {
					add(day, fmt.Sprintf("reminder, %d days before the mailbox closes", n))
				}
			}
		case a.State == schoolmail.Deactivated && !a.Deactivated.IsZero():
			add(a.Deactivated.AddDays(life.PurgeDays), "account and mail are removed for ever")
			if what, until := s.endOfMail(a); until > w.Day {
				add(until, what+" no longer")
			}
		}
		if p := a.Previous; p.Context != 0 {
			add(p.Since.AddDays(max(0, life.TransferGraceDays)), fmt.Sprintf("the old copy in context %d goes", p.Context))
		}
	}
	slices.SortFunc(list, func(x, y Closing) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.School, y.School), cmp.Compare(x.Username, y.Username),
			cmp.Compare(x.What, y.What))
	})
	return list
}

// WriteCalendar writes a calendar for a terminal.
func WriteCalendar(w io.Writer, list []Closing) error {
	var b strings.Builder
	if len(list) == 0 {
		b.WriteString("Nothing closes.\n")
	}
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range list {
		hold := ""
		if c.OnHold {
			hold = " (on hold)"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s%s\n", c.Day, cmp.Or(string(c.School), "-"), c.Username, c.Key.ID, c.What, hold)
	}
	tw.Flush()
	_, err := io.WriteString(w, b.String())
	return err
}
