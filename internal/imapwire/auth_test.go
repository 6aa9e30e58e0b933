package imapwire

import (
	"encoding/base64"
	"testing"
)

// A refused token: the server tells why in a challenge and waits for an
// answer, without which both sides would wait for ever.
func TestRefusedBearer(t *testing.T) {
	t.Parallel()
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]struct {
		caps  string
		steps []string
	}{
		"OAUTHBEARER": {"SASL-IR AUTH=OAUTHBEARER AUTH=XOAUTH2", []string{
			"AUTHENTICATE OAUTHBEARER " + b64("n,a=an=2Cna,\x01auth=Bearer tok\x01\x01"),
			"+ " + b64(`{"status":"invalid_token"}`) + "\r\n",
			"AQ==", "s1 NO [AUTHENTICATIONFAILED] no\r\n", "NOOP", "TAG OK\r\n"}},
		"XOAUTH2": {"SASL-IR AUTH=XOAUTH2", []string{
			"AUTHENTICATE XOAUTH2 " + b64("user=an,na\x01auth=Bearer tok\x01\x01"), "+ " + b64(`{"status":"401"}`) + "\r\n",
			"", "s1 NO no\r\n", "NOOP", "TAG OK\r\n"}},
		"without SASL-IR": {"AUTH=XOAUTH2", []string{
			"AUTHENTICATE XOAUTH2", "+ \r\n", b64("user=an,na\x01auth=Bearer tok\x01\x01"), "+ e30=\r\n",
			"", "s1 NO no\r\n", "NOOP", "TAG OK\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := script(t, "* OK [CAPABILITY IMAP4rev1 "+c.caps+"] hi", c.steps...)
			if err := cl.AuthBearer(t.Context(), "an,na", "tok"); err == nil || cl.Err() != nil {
				t.Errorf("refused token: %v, connection %v", err, cl.Err())
			}
			if err := cl.Noop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
