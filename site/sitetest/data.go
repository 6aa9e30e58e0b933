package sitetest

import (
	"fmt"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// personal is what a person is given to own in OX, recognisable as theirs.
func personal(username string) oxtest.PersonalData {
	return oxtest.PersonalData{
		Appointments: []string{"Elternabend (" + username + ")", "Schulreise (" + username + ")"},
		Tasks:        []string{"Noten eintragen (" + username + ")"},
		Files:        []string{"Wochenplan-" + username + ".odt"},
		DriveBytes:   34_567,
	}
}

// FillCalendars gives every user appointments, tasks and a file, so that a
// transfer has something to lose. It returns how many users there are.
func (s *Sandbox) FillCalendars() (int, error) {
	n := 0
	for _, c := range s.Policy.Contexts {
		for _, u := range s.OX.State().Users(c.ID) {
			if u.Admin {
				continue
			}
			if err := s.OX.State().SetData(c.ID, u.Name, personal(u.Name)); err != nil {
				return n, fmt.Errorf("sandbox: %w", err)
			}
			n++
		}
	}
	return n, nil
}

// HasData reports whether a user of a context owns everything that
// FillCalendars has given.
func (s *Sandbox) HasData(c schoolmail.ContextID, username string) bool {
	u, ok := s.OX.State().User(c, username)
	want := personal(username)
	return ok && slices.Equal(u.Data.Appointments, want.Appointments) && slices.Equal(u.Data.Tasks, want.Tasks) &&
		slices.Equal(u.Data.Files, want.Files) && u.Data.DriveBytes == want.DriveBytes
}
