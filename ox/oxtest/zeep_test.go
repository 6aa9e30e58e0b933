package oxtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// python finds a Python that has zeep.
func python(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(p, "-c", "from zeep import Client").Run() == nil {
			return p
		}
	}
	lacking.Skip(t, "zeep (Debian package python3-zeep)")
	return ""
}

// TestZeep lets a foreign SOAP stack, which knows nothing but the WSDLs that the
// server publishes, work with it.
func TestZeep(t *testing.T) {
	t.Parallel()
	p := python(t)
	srv := testlife.Of(Start())(t)
	cmd := exec.Command(p, "testdata/foreign_client.py", srv.SOAPURL)
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = `OXContextService 32 True
OXGroupService 13 True
OXResourceService 7 True
OXSecondaryAccountService 4 True
OXTaskMgmtService 4 True
OXUserCopyService 1 True
OXUserService 27 True
OXUtilService 22 True
context 77 zeep True ['77', 'zeep']
created 3 geheim ['m.lind@zeep.example', 'mia@zeep.example']
read 3 empty nil nil empty absent False 143 2010-05-04 70 -1
changed empty 'x' empty Lind
list [(3, None), (2, None)]
exists True False
access True False
again soap:Server User mia already exists in this context InvalidDataException/InvalidDataException
nobody soap:Server No such user(s) 99 in context 77 NoSuchUserException/NoSuchUserException
password soap:Server Authentication failed InvalidCredentialsException/InvalidCredentialsException
left [2]
`
	if got := string(out); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if n := srv.Counts()["OXUserService.createByModuleAccessName"]; n != 1 {
		t.Errorf("%d creates were recorded, want 1; %s", n, strings.Join(func() (l []string) {
			for _, c := range srv.Calls() {
				l = append(l, c.String())
			}
			return
		}(), "\n"))
	}
}
