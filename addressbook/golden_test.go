package addressbook

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden runs each file of testdata: a sequence of days, each with its
// people and the plans they lead to. After every day a second run must find
// nothing to do.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			comment, parts := parseArchive(string(before))
			var got bytes.Buffer
			got.WriteString(comment)
			stores := map[schoolmail.ContextID]Store{}
			rules := villageRules()
			for _, f := range parts {
				day, ok := strings.CutSuffix(f.name, ".people")
				if !ok {
					continue
				}
				var people []schoolmail.Account
				for line := range strings.Lines(f.data) {
					people = append(people, someone(line))
				}
				plan := goldenDay(t, rules, stores, day, people)
				fmt.Fprintf(&got, "-- %s --\n%s-- %s.plan --\n%s", f.name, f.data, day, plan)
			}
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(before), got.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

type archivePart struct{ name, data string }

// parseArchive reads the txtar format.
func parseArchive(text string) (comment string, parts []archivePart) {
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- ")
		if name, marker := strings.CutSuffix(name, " --"); ok && marker {
			parts = append(parts, archivePart{name: name})
		} else if len(parts) == 0 {
			comment += line
		} else {
			parts[len(parts)-1].data += line
		}
	}
	return comment, parts
}

func goldenDay(t *testing.T, rules Rules, stores map[schoolmail.ContextID]Store, day string,
	people []schoolmail.Account) string {
	t.Helper()
	today, err := schoolmail.ParseDate(day)
	if err != nil {
		t.Fatal(err)
	}
	want := mustBuild(t, rules, people)
	for _, a := range people {
		if stores[a.Context] == nil {
			stores[a.Context] = newFake(9, nil, []Group{{ID: 5, Name: "Lehrer-AU"}})
		}
	}
	for c, s := range stores {
		s := s.(*fakeStore)
		s.snap.Users = withUsers(s.snap.Users, c, people)
		s.snap.Groups[0].Members = nil
		for _, u := range s.snap.Users {
			i := slices.IndexFunc(people, func(a schoolmail.Account) bool { return a.Username == u.Login })
			if i >= 0 && people[i].Role == schoolmail.RoleTeacher && people[i].Memberships[0].School == "au" {
				s.snap.Groups[0].Members = append(s.snap.Groups[0].Members, u.ID)
			}
		}
	}
	report, err := Sync(context.Background(), rules, want, stores, today, nil)
	if err != nil || report.Err() != nil {
		t.Fatal(err, report.Err())
	}
	var text strings.Builder
	for _, c := range report.Contexts {
		if err := c.Plan.WriteText(&text, true); err != nil {
			t.Fatal(err)
		}
		if c.Done != c.Plan.Counts() {
			t.Errorf("%s context %d: planned %v, done %v", day, c.Plan.Context, c.Plan.Counts(), c.Done)
		}
	}
	again, err := Sync(context.Background(), rules, want, stores, today, nil)
	if err != nil || again.Err() != nil {
		t.Fatal(err, again.Err())
	}
	for _, c := range again.Contexts {
		if !c.Plan.Empty() {
			t.Errorf("%s: the second run finds: %+v", day, c.Plan.Folders)
		}
	}
	return text.String()
}

// withUsers keeps the ids of users that are known and adds the new ones.
func withUsers(users []User, c schoolmail.ContextID, people []schoolmail.Account) []User {
	if users == nil {
		users = []User{{ID: 2, Login: "oxadmin"}, {ID: 9, Login: "svc-books"}}
	}
	next := schoolmail.UserID(10)
	for _, u := range users {
		next = max(next, u.ID+1)
	}
	for _, a := range people {
		if a.Context == c && !slices.ContainsFunc(users, func(u User) bool { return u.Login == a.Username }) {
			users = append(users, User{ID: next, Login: a.Username, Mail: a.Mail})
			next++
		}
	}
	return users
}
