package migrate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// Tokens from the account list, on a real Dovecot that asks an OAuth server
// about them: by OAUTHBEARER, and by XOAUTH2 where there is only that. A
// token that is not valid, or somebody else's, is a refused login.
func TestTokens(t *testing.T) {
	t.Parallel()
	oauth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := map[string]string{"token-a": "a", "token-b": "b"}[r.FormValue("token")]
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"active": ok, "username": user})
	}))
	t.Cleanup(oauth.Close)
	for _, mechanism := range []string{"oauthbearer", "xoauth2"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "oauth") // t.TempDir may not be entered by Dovecot's user
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			file := filepath.Join(dir, "oauth2")
			conf := fmt.Sprintf("introspection_url = %s/introspect\nintrospection_mode = post\nusername_attribute = username\n"+
				"active_attribute = active\nactive_value = true\n", oauth.URL)
			if err := errors.Join(os.WriteFile(file, []byte(conf), 0o644), os.Chmod(dir, 0o755)); err != nil {
				t.Fatal(err)
			}
			s := dovecot(t, dovecotd.Config{Extra: fmt.Sprintf("auth_mechanisms = plain %s\npassdb {\n  driver = oauth2\n"+
				"  mechanisms = %[1]s\n  args = %s\n}", mechanism, file)}, "a", "b")
			put(t, client(t, s.IMAPAddr, "a"), "INBOX", "", "", mail(1, ""))
			acct := migrate.Account{Name: "a", Source: migrate.Login{User: "a", Token: "token-a"},
				Target: migrate.Login{User: "b", Token: "token-b"}}
			m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), nil)
			if res := sync(t, m, acct); res.Copied != 1 {
				t.Errorf("%+v", res)
			}
			for _, token := range []string{"expired", "token-a"} {
				acct.Target.Token = schoolmail.Secret(token)
				if _, err := m.Sync(t.Context(), acct); !errors.Is(err, migrate.ErrLogin) {
					t.Errorf("%s: %v", token, err)
				}
			}
		})
	}
}
