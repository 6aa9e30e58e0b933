package site_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/report"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// Of a whole district, first run and change of terms: a school's page names people of
// that school and nobody else, and what is kept of a run names nobody.
func TestNobodyElseOnSchoolPages(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(240)))(t)
	at := map[string]map[schoolmail.SchoolID]bool{} // by name, at which schools somebody of the name is or was
	known := func(records []schoolmail.Record) {
		for i := range records {
			name := records[i].GivenName + " " + records[i].FamilyName
			if at[name] == nil {
				at[name] = map[schoolmail.SchoolID]bool{}
			}
			for _, m := range records[i].Memberships {
				at[name][m.School] = true
			}
		}
	}
	d := sb.District
	set := sb.Settings()
	set.Pages.Schools = map[schoolmail.SchoolID]site.SchoolPage{
		d.Schools()[0].ID: {Language: "fr", Name: "École modèle"},
	}
	named, pages := 0, 0
	for _, next := range []bool{false, true} {
		if next {
			d = d.Next(nil)
		}
		known(d.Records())
		if err := sb.Deliver(d); err != nil {
			t.Fatal(err)
		}
		open := testlife.Of(site.Open(set, nil))(t)
		acts, err := open.Run(t.Context(), &site.RunOptions{Day: d.Today(), Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := open.Close(); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := site.WriteRun(dir, &report.Report{Title: "Musterstadt"}, acts); err != nil {
			t.Fatal(err)
		}
		// The pictures of the year are there once there is more than one kept run.
		for _, folder := range []string{dir, acts[0].Folder} {
			if text, err := os.ReadFile(filepath.Join(folder, "report.html")); err != nil ||
				strings.Contains(string(text), `id="year"`) != next {
				t.Errorf("%s: %v, pictures of the year, want %v", folder, err, next)
			}
		}
		for _, s := range d.Schools() {
			text, err := os.ReadFile(filepath.Join(dir, "schools", "school-"+string(s.ID)+".html"))
			if err != nil {
				t.Fatal(err) // somebody is new at each school
			}
			pages++
			if french := strings.Contains(string(text), "École modèle: changements"); french != (s == d.Schools()[0]) {
				t.Errorf("%s: in French: %v", s.ID, french)
			}
			kept, err := os.ReadFile(filepath.Join(acts[0].Folder, "schools", "school-"+string(s.ID)+".html"))
			if err != nil {
				t.Fatal(err)
			}
			for name, schools := range at {
				switch there := strings.Contains(string(text), ">"+name+"<"); {
				case there && schools[s.ID]:
					named++
				case there:
					t.Errorf("%s: its page names somebody of %v", s.ID, schools)
				}
				if strings.Contains(string(kept), ">"+name+"<") {
					t.Errorf("%s: what is kept names people", s.ID)
				}
			}
			for _, o := range d.Schools() {
				if o.ID != s.ID && strings.Contains(string(text), string(o.ID)) {
					t.Errorf("%s: its page names %s", s.ID, o.ID)
				}
			}
		}
	}
	if named < 200 || pages != 2*len(d.Schools()) {
		t.Errorf("%d people on %d pages: not all were looked at", named, pages)
	}
}
