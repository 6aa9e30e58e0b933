package migrate_test

import (
	"slices"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// A preset stands below what the site wants: its skipped folders are added, and its
// connections hold only where the site names none.
func TestPresets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		connections int // of the site
		skips       string
		archive     bool
		want        int
	}{
		{"exchange", 0, "Kalender", false, 8},
		{"exchange", 3, "Sync Issues", false, 3},
		{"gmail", 0, "", true, 8},
	} {
		p, err := migrate.PresetOf(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		rules, source := migrate.FolderRules{Skip: []string{"Alt"}}, migrate.Server{Connections: tt.connections}
		p.Apply(&rules, &source)
		if !slices.Contains(rules.Skip, "Alt") || tt.skips != "" && !slices.Contains(rules.Skip, tt.skips) ||
			rules.ArchiveRest != tt.archive || source.Connections != tt.want {
			t.Errorf("%s: %+v, %d connections", tt.name, rules, source.Connections)
		}
		again, _ := migrate.PresetOf(tt.name)
		if slices.Contains(again.Skip, "Alt") {
			t.Errorf("%s: one site's folders are another's", tt.name)
		}
	}
}
