package addressbook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// yamlText quotes a text: a JSON string is a YAML double-quoted scalar.
func yamlText(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string can always be encoded, and a Builder takes everything
	return strings.TrimSuffix(b.String(), "\n")
}

func (p *providers) client() []byte {
	password := p.opts.BindPassword.Reveal()
	if password == "" {
		password = "REPLACE-ME"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# /opt/open-xchange/etc/ldap-client-config.yml
%s:
  pool:
    type: simple
    host:
      address: %s
      port: %d
    requiretls: true
  auth:
    type: adminDN
    adminDN:
      dn: %s
      password: %s
  baseDN: %s
`, ldapClient, yamlText(p.opts.Host), p.opts.Port, yamlText(p.opts.BindDN), yamlText(password), yamlText(p.opts.BaseDN))
	return []byte(b.String())
}

func (p *providers) mappings() []byte {
	const common = `  object_id: entryUUID
  uid: entryUUID
  display_name: displayName,cn
  given_name: givenName
  sur_name: sn
  email1: mailPrimaryAddress
`
	var b strings.Builder
	b.WriteString("# /opt/open-xchange/etc/contacts-provider-ldap-mappings.yml\n")
	b.WriteString(mappingShort + ":\n" + common)
	b.WriteString(mappingFull + ":\n" + common)
	if p.shownOfAll(FieldPhone) {
		b.WriteString("  telephone_business1: telephoneNumber\n")
	}
	if p.shownOfAll(FieldSchool) {
		b.WriteString("  company: ucsschoolSchool\n")
	}
	return []byte(b.String())
}

// shownOfAll reports whether a field may be shown of teachers and of staff: the
// mapping cannot tell them apart.
func (p *providers) shownOfAll(f Field) bool {
	return p.shownTo(f, schoolmail.RoleTeacher, schoolmail.RoleStaff)
}

// shownTo reports whether a field of teachers and of staff is shown to readers of
// these roles.
func (p *providers) shownTo(f Field, readers ...schoolmail.Role) bool {
	roles := map[schoolmail.Role]bool{}
	for _, r := range readers {
		roles[r] = true
	}
	shown := shownTo(p.builder.rules.Show, roles)
	return shown[schoolmail.RoleTeacher][f] && shown[schoolmail.RoleStaff][f]
}

func (p *providers) config() []byte {
	var b strings.Builder
	b.WriteString("# /opt/open-xchange/etc/contacts-provider-ldap.yml\n")
	for _, name := range slices.Sorted(maps.Keys(p.byName)) {
		pr := p.byName[name]
		var all strings.Builder
		for _, f := range pr.folders {
			all.WriteString(f.filter)
		}
		fmt.Fprintf(&b, `%s:
  name: %s
  ldapClientId: %s
  mappings: %s
  folders:
    usedForSync:
      protected: true
      defaultValue: false
    usedInPicker:
      protected: false
      defaultValue: true
    shownInTree:
      protected: false
      defaultValue: true
    mode: static
    static:
      commonContactFilter: %s
      folders:
`, name, yamlText(pr.title), ldapClient, pr.mapping, yamlText("(|"+all.String()+")"))
		for _, f := range pr.folders {
			fmt.Fprintf(&b, "        - name: %s\n          contactFilter: %s\n", yamlText(f.name), yamlText(f.filter))
		}
	}
	return []byte(b.String())
}
