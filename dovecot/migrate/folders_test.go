package migrate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// view makes a listing of readable names: "Sent:Sent" has a role, "-x" is not selectable.
func view(prefix, sep string, names ...string) migrate.View {
	v := migrate.View{Prefix: prefix, Separator: sep}
	for _, n := range names {
		f := migrate.Folder{Selectable: true}
		if n[0] == '-' {
			n, f.Selectable = n[1:], false
		}
		n, role, _ := strings.Cut(n, ":")
		f.Role = migrate.Role(role)
		f.Path = strings.Split(n, "/")
		f.Raw = prefix + strings.Join(f.Path, sep)
		if n == "INBOX" {
			f.Raw = n
		}
		v.Folders = append(v.Folders, f)
	}
	return v
}

// gmail is a listing as Gmail has it.
func gmail() migrate.View {
	v := view("", "/", "INBOX", "Arbeit", "-[Gmail]", "[Gmail]/Alle Nachrichten", "[Gmail]/Wichtig", "[Gmail]/Markiert",
		"[Gmail]/Gesendet:Sent")
	for i, a := range map[int]string{3: `\All`, 4: `\Important`, 5: `\Flagged`} {
		v.Folders[i].Virtual = a
	}
	return v
}

func TestPlanFolders(t *testing.T) {
	t.Parallel()
	standard := []string{"INBOX", "Sent:Sent", "Drafts:Drafts", "Trash:Trash", "Junk:Junk"}
	for name, c := range map[string]struct {
		src      migrate.View
		dst      migrate.View
		rules    migrate.FolderRules
		recorded map[string]string
		want     string // "source>target raw" of each mapping
		findings int
	}{
		"names in four languages, merged": {
			src: view("INBOX.", ".", "INBOX", "Gesendet", "Sent Items", "Éléments envoyés", "Posta inviata", "Entwürfe",
				"Bozze", "Corbeille", "Spamverdacht", "Vorlagen"),
			dst: view("", "/", standard...),
			want: "INBOX>INBOX Bozze>Drafts Corbeille>Trash Entwürfe>Drafts Gesendet>Sent Posta inviata>Sent Sent Items>Sent " +
				"Spamverdacht>Junk Vorlagen>Vorlagen Éléments envoyés>Sent", findings: 4,
		},
		"accents apart, case, blanks": {
			src:  view("", "/", "INBOX", norm.NFD.String("Éléments envoyés"), "GESENDET", " Entwürfe "),
			dst:  view("", "/", standard...),
			want: "INBOX>INBOX  Entwürfe >Drafts " + norm.NFD.String("Éléments envoyés") + ">Sent GESENDET>Sent", findings: 1,
		},
		"special use goes before the name": {
			src:  view("", "/", "INBOX", "Ausgang:Sent", "Trash:Archive"),
			dst:  view("", "/", "INBOX", "Gesendete Objekte:Sent", "Ablage:Archive"),
			want: "INBOX>INBOX Ausgang>Gesendete Objekte Trash>Ablage",
		},
		"subfolders follow their parent": {
			src:  view("", "/", "INBOX", "Gesendet", "Gesendet/2020", "Sent/2020", "-Sent"),
			dst:  view("", "/", standard...),
			want: "INBOX>INBOX Gesendet>Sent Gesendet/2020>Sent/2020 Sent/2020>Sent/2020", findings: 1,
		},
		"only the first level is special": {
			src:  view("", "/", "INBOX", "Eltern/Gesendet"),
			dst:  view("", "/", standard...),
			want: "INBOX>INBOX Eltern/Gesendet>Eltern/Gesendet",
		},
		"INBOX below INBOX stays apart": {
			src: migrate.View{Prefix: "INBOX.", Separator: ".", Folders: []migrate.Folder{{Raw: "INBOX",
				Path: []string{"INBOX"}, Selectable: true}, {Raw: "INBOX.INBOX", Path: []string{"INBOX", "INBOX"},
				Selectable: true}, {Raw: "INBOX.inbox.x", Path: []string{"INBOX", "inbox", "x"}, Selectable: true}}},
			dst:  view("", "/", standard...),
			want: "INBOX>INBOX INBOX/INBOX>INBOX/INBOX INBOX/inbox/x>INBOX/inbox/x",
		},
		"target with a prefix": {
			src:  view("", "/", "INBOX", "Gesendet", "a/b"),
			dst:  view("INBOX.", ".", standard...),
			want: "INBOX>INBOX Gesendet>INBOX.Sent a/b>INBOX.a.b",
		},
		"a child of INBOX and its namesake under a prefix": {
			src:  view("", "/", "INBOX", "x", "INBOX/x"),
			dst:  view("INBOX.", ".", standard...),
			want: "INBOX>INBOX x>INBOX.x INBOX/x>INBOX.x (2)", findings: 1,
		},
		"characters the target refuses, and what then collides": {
			src:  view("", "|", "INBOX", "a.b", "a_b", "c^d", "~tilde"),
			dst:  view("", "/", standard...),
			want: "INBOX>INBOX a.b>a_b a_b>a_b (2) c^d>c^d ~tilde>_tilde", findings: 3,
		},
		"configured": {
			src: view("", "/", "INBOX", "Gesendet", "Projekte", "Projekte/x", "Alt", "Alt/y", "Müll"),
			dst: view("", "/", standard...),
			rules: migrate.FolderRules{Map: map[string]string{"Gesendet": "Ablage", "Projekte": "P/Q"}, Skip: []string{"Alt"},
				Roles: map[migrate.Role]string{migrate.Sent: "Gesendete Objekte"}},
			want: "INBOX>INBOX Gesendet>Ablage Müll>M&APw-ll Projekte>P/Q Projekte/x>P/Q/x",
		},
		"the configured role wins": {
			src:   view("", "/", "INBOX", "Sent"),
			dst:   view("", "/", standard...),
			rules: migrate.FolderRules{Roles: map[migrate.Role]string{migrate.Sent: "Gesendete Objekte"}},
			want:  "INBOX>INBOX Sent>Gesendete Objekte",
		},
		"without the name table": {
			src:   view("", "/", "INBOX", "Gesendet", "Sent:Sent"),
			dst:   view("", "/", standard...),
			rules: migrate.FolderRules{NoNameTable: true},
			want:  "INBOX>INBOX Gesendet>Gesendet Sent>Sent",
		},
		"no archive at the target: names stay": {
			src:  view("", "/", "INBOX", "Archiv", "Archives/2020"),
			dst:  view("", "/", standard...),
			want: "INBOX>INBOX Archiv>Archiv Archives/2020>Archives/2020",
		},
		"names that people use for other things, and folders with folders of their own": {
			src: view("", "/", "INBOX", "Bin", "Deleted", "Werbung", "Werbung/Klasse 9a", "Papierkorb", "Papierkorb/Projekt",
				"Spam"),
			dst: view("", "/", standard...),
			want: "INBOX>INBOX Bin>Bin Deleted>Deleted Papierkorb>Papierkorb Spam>Junk Werbung>Werbung " +
				"Papierkorb/Projekt>Papierkorb/Projekt Werbung/Klasse 9a>Werbung/Klasse 9a", findings: 4,
		},
		"what lies below a folder with the attribute": {
			src:  view("", "/", "INBOX", "Papierkorb:Trash", "Papierkorb/alt"),
			dst:  view("", "/", standard...),
			want: "INBOX>INBOX Papierkorb>Trash Papierkorb/alt>Trash/alt",
		},
		"INBOX below INBOX stays apart below a prefix, too": {
			src: migrate.View{Prefix: "INBOX.", Separator: ".", Folders: []migrate.Folder{{Raw: "INBOX",
				Path: []string{"INBOX"}, Selectable: true}, {Raw: "INBOX.INBOX", Path: []string{"INBOX", "INBOX"},
				Selectable: true}, {Raw: "INBOX.inbox.x", Path: []string{"INBOX", "inbox", "x"}, Selectable: true}}},
			dst:  view("INBOX/", "/", standard...),
			want: "INBOX>INBOX INBOX/INBOX>INBOX/INBOX_ INBOX/inbox/x>INBOX/inbox_/x", findings: 2,
		},
		"what an earlier tool has left at the target": {
			src:  view("", "/", "INBOX", "Gesendet"),
			dst:  view("", "/", "INBOX", "Sent:Sent", "Gesendet", "Trash:Trash"),
			want: "INBOX>INBOX Gesendet>Sent", findings: 1,
		},
		"patterns": {
			src: view("", "/", "INBOX", "Projekte/a", "Projekte/b", "Projekte/b/x", "Alt 2019", "Alt 2020", "Alt 20201",
				"Alt 202", "Uralt Alt 2020", "Neu"),
			dst:   view("", "/", standard...),
			rules: migrate.FolderRules{Skip: []string{"Alt ????", "*/b"}},
			want: "INBOX>INBOX Alt 202>Alt 202 Alt 20201>Alt 20201 Neu>Neu Uralt Alt 2020>Uralt Alt 2020 " +
				"Projekte/a>Projekte/a",
		},
		"only some": {
			src:   view("", "/", "INBOX", "Projekte", "Projekte/b", "Neu"),
			dst:   view("", "/", standard...),
			rules: migrate.FolderRules{Only: []string{"INBOX", "Proj*"}, Skip: []string{"Projekte/b"}},
			want:  "INBOX>INBOX Projekte>Projekte",
		},
		"views of other folders stay behind": {
			src:  gmail(),
			dst:  view("", "/", standard...),
			want: "INBOX>INBOX Arbeit>Arbeit [Gmail]/Gesendet>Sent",
		},
		"Gmail's archive": {
			src:   gmail(),
			dst:   view("", "/", standard...),
			rules: migrate.FolderRules{ArchiveRest: true},
			want:  "INBOX>INBOX Arbeit>Arbeit [Gmail]/Alle Nachrichten>Archive [Gmail]/Gesendet>Sent",
		},
		"decisions of earlier runs stay": {
			src:      view("", "/", "INBOX", "Gesendet", "a"),
			dst:      view("", "/", standard...),
			recorded: map[string]string{"Gesendet": "Gesendet"},
			want:     "INBOX>INBOX Gesendet>Gesendet a>a",
		},
		"two folders with the attribute": {
			src:  view("", "/", "INBOX", "Gesendet"),
			dst:  view("", "/", "INBOX", "Sent Messages:Sent", "Sent:Sent"),
			want: "INBOX>INBOX Gesendet>Sent", findings: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := migrate.PlanFolders(c.src, c.dst, c.rules, c.recorded)
			var got []string
			for _, m := range p.Mappings {
				got = append(got, m.Source+">"+m.TargetRaw)
			}
			if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
			if len(p.Findings) != c.findings {
				t.Errorf("%d findings, want %d: %q", len(p.Findings), c.findings, p.Findings)
			}
		})
	}
}

// Two ordinary folders never end in one.
func FuzzPlanFolders(f *testing.F) {
	f.Add("a.b", "a_b", "Gesendet", ".")
	f.Add("x/y", "x", "~", "/")
	f.Add(strings.Repeat("ä", 300), strings.Repeat("ä", 301), "INBOX", "/")
	f.Fuzz(func(t *testing.T, a, b, c, sep string) {
		src := migrate.View{Separator: "|"}
		seen := map[string]bool{}
		for _, n := range []string{a, b, c} {
			if n == "" || seen[n] {
				return
			}
			seen[n] = true
			src.Folders = append(src.Folders, migrate.Folder{Raw: n, Path: strings.Split(n, "|"), Selectable: true})
		}
		p := migrate.PlanFolders(src, migrate.View{Separator: sep}, migrate.FolderRules{NoNameTable: true}, nil)
		if len(p.Mappings) != 3 {
			t.Fatalf("%d mappings", len(p.Mappings))
		}
		targets := map[string]bool{}
		for _, m := range p.Mappings {
			if targets[m.TargetRaw] {
				t.Errorf("two folders become %q", m.TargetRaw)
			}
			targets[m.TargetRaw] = true
		}
	})
}

func ExamplePlanFolders() {
	src := migrate.View{Prefix: "INBOX.", Separator: ".", Folders: []migrate.Folder{
		{Raw: "INBOX", Path: []string{"INBOX"}, Selectable: true},
		{Raw: "INBOX.Gesendet", Path: []string{"Gesendet"}, Selectable: true},
		{Raw: "INBOX.Sent Items", Path: []string{"Sent Items"}, Selectable: true},
	}}
	dst := migrate.View{Separator: "/", Folders: []migrate.Folder{
		{Raw: "INBOX", Path: []string{"INBOX"}, Selectable: true},
		{Raw: "Sent", Path: []string{"Sent"}, Role: migrate.Sent, Selectable: true},
	}}
	plan := migrate.PlanFolders(src, dst, migrate.FolderRules{}, nil)
	for _, m := range plan.Mappings {
		fmt.Printf("%s -> %s (%s)\n", m.Source, m.Target, m.Why)
	}
	fmt.Println(plan.Findings[0])
	// Output:
	// INBOX -> INBOX (same name)
	// Gesendet -> Sent (name)
	// Sent Items -> Sent (name)
	// "Gesendet" and "Sent Items" are merged into "Sent"
}
