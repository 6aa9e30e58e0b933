package report

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/internal/page/pagetest"
)

// guards are those of the planner, which lists them when it is asked for another.
func guards(t *testing.T) []string {
	t.Helper()
	names := []string{"identity", "spelling", "hold", "none"}
	text, err := os.ReadFile(filepath.Join("..", "..", "guard.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "var guardNames = []string{")
	list, _, _ = strings.Cut(list, "}")
	for _, m := range regexp.MustCompile(`"([a-z-]+)"`).FindAllStringSubmatch(list, -1) {
		names = append(names, m[1])
	}
	if len(names) < 15 {
		t.Fatalf("guards: %q", names)
	}
	return names
}

// findings are the kinds that the planner, the directory and a site tell.
func findings(t *testing.T) []string {
	t.Helper()
	var names []string
	found := regexp.MustCompile(`(?:\bfind\(|Finding\{Kind: )"([a-z-]+)"`)
	for _, pattern := range []string{"../../*.go", "../*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range found.FindAllStringSubmatch(string(text), -1) {
				if m[1] != "directory-" {
					names = append(names, m[1])
				}
			}
		}
	}
	remarks, err := os.ReadFile("../../ucs/remark.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`RemarkKind = "([a-z-]+)"`).FindAllStringSubmatch(string(remarks), -1) {
		names = append(names, "directory-"+m[1])
	}
	names = append(names, "override-expired", "override-unused") // told by a function that is handed the kind
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 40 {
		t.Fatalf("findings: %q", names)
	}
	return names
}

// Every text is there in all languages, and none is left over.
func TestTexts(t *testing.T) {
	t.Parallel()
	var kinds, held []string
	for _, k := range schoolmail.Kinds() {
		kinds = append(kinds, string(k))
		if k != schoolmail.KindCreateContext && k != schoolmail.KindDropCopy {
			held = append(held, string(k))
		}
	}
	deliveries := []string{"other"}
	for _, k := range escada.Kinds() {
		deliveries = append(deliveries, string(k))
	}
	pagetest.Texts(t, files, []string{".", ".."}, pagetest.Families{
		"kind.": kinds, "held.": held, "guard.": guards(t), "finding.": findings(t), "cause.": Causes(), "do.": Causes(),
		"role.": {"pupil", "teacher", "staff"}, "delivery.": deliveries,
		"act.": {"run", "rest-of-a-plan-that-was-cut-off", "first-provisioning", "the-same-again",
			"change-of-the-school-year", "eight-weeks-later"},
	})
}
