package escada_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// What rows of one person contradict each other in does not depend on their order.
func TestContradictingRowsInAnyOrder(t *testing.T) {
	t.Parallel()
	rows := []string{
		"9;L;Frei;Anna;ps-a;;4b;;;a@example.org;031 555 01 01;de\n",
		"9;L;Frei;Anna;ps-b;;5a;;;b@example.org;031 555 01 02;fr\n",
		"9;L;Frei;Anna;ps-c;;6a;;;c@example.org;031 555 01 03;it\n",
	}
	first := readOne(t, nil, head+strings.Join(rows, ""))
	if len(first.Records) != 1 {
		t.Fatalf("%+v", first)
	}
	for _, order := range [][]int{{2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		data := head
		for _, i := range order {
			data += rows[i]
		}
		if diff := cmp.Diff(first.Records, readOne(t, nil, data).Records); diff != "" {
			t.Errorf("in the order %v:\n%s", order, diff)
		}
	}
}

// Of two roles that a profile lets one person have, the first that it names counts,
// whichever row comes first.
func TestPreferredRoleCounts(t *testing.T) {
	t.Parallel()
	p := &escada.Profile{PreferRoles: []schoolmail.Role{schoolmail.RoleTeacher, schoolmail.RoleStaff}}
	rows := []string{"9;L;Frei;Anna;ps-a;;4b;;;;;\n", "9;M;Frei;Anna;ps-b;;;;;;;\n"}
	for _, data := range []string{rows[0] + rows[1], rows[1] + rows[0]} {
		d := readOne(t, p, head+data)
		if len(d.Records) != 1 || d.Records[0].Role != schoolmail.RoleTeacher || len(d.Records[0].Memberships) != 2 {
			t.Errorf("%q: %+v %+v", data, d.Records, d.Rejected)
		}
	}
}

// A person may have a thousand different rows, and not one more.
func TestAThousandRowsOfOnePerson(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{1000: 1, 1001: 0} {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			fmt.Fprintf(&b, "9;L;Frei;Anna;ps-a;;k%d;;;;;\n", i)
		}
		d := readOne(t, nil, b.String())
		told := slices.ContainsFunc(d.Rejected, func(r schoolmail.Rejection) bool { return r.Key.ID == "9" && !r.Harmless })
		if len(d.Records) != want || told != (want == 0) {
			t.Errorf("%d rows: %d records, rejected %v", n, len(d.Records), d.Rejected)
		}
	}
}
