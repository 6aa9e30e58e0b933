package ucstest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/internal/layout"
)

// domainSID is the Windows security identifier of the made-up domain.
const domainSID = "S-1-5-21-1111111111-2222222222-3333333333"

// seedBase adds what every UCS domain has, as far as accounts need it.
func (s *Server) seedBase() error {
	var labels []string
	for part := range strings.SplitSeq(s.BaseDN, ",") {
		t, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(t, "dc") || v == "" {
			return fmt.Errorf("ucstest: base DN %q does not consist of dc parts", s.BaseDN)
		}
		labels = append(labels, v)
	}
	domain := strings.Join(labels, ".")
	base := s.BaseDN
	root := layout.Entry{DN: base}
	root.Set("objectClass", "top", "krb5Realm", "univentionPolicyReference", "nisDomainObject", "domainRelatedObject",
		"domain", "univentionBase", "univentionObject")
	root.Set("univentionObjectType", "container/dc")
	root.Set("dc", labels[0])
	root.Set("krb5RealmName", strings.ToUpper(domain))
	root.Set("nisDomain", domain)
	root.Set("associatedDomain", domain)
	univention := "cn=univention," + base
	temporary := "cn=temporary," + univention
	entries := []layout.Entry{
		root,
		layout.Container(base, "users"),
		layout.Container(base, "groups"),
		layout.Container("cn=groups,"+base, "ouadmins"),
		layout.Container("cn=groups,"+base, "ucsschool"),
		layout.Container(base, "computers"),
		layout.Container(base, "samba"),
		layout.Container(base, "mail"),
		layout.Container("cn=mail,"+base, "domain"),
		layout.Container(base, "policies"),
		layout.Container(base, "open-xchange"),
		layout.Container(base, "univention"),
		layout.Container(univention, "templates"),
		layout.Container(univention, "custom attributes"),
		layout.Container(univention, "ucsschool"),
		layout.Container("cn=ucsschool,"+univention, "unique-usernames"),
		layout.Container("cn=ucsschool,"+univention, "unique-email"),
		layout.Container(univention, "temporary"),
	}
	for _, n := range []string{"uid", "groupName", "sid", "mailPrimaryAddress", "mailAlternativeAddress"} {
		entries = append(entries, layout.Container(temporary, n))
	}
	counter := func(cn, last string) {
		e := layout.Entry{DN: "cn=" + cn + "," + temporary}
		e.Set("objectClass", "top", "organizationalRole", "univentionLastUsed", "univentionObject")
		e.Set("univentionObjectType", "container/cn")
		e.Set("cn", cn)
		e.Set("univentionLastUsedValue", last)
		entries = append(entries, e)
	}
	counter("uidNumber", "2000")
	counter("gidNumber", "5005")
	sambaDomain := layout.Entry{DN: "sambaDomainName=" + strings.ToUpper(labels[0]) + ",cn=samba," + base}
	sambaDomain.Set("objectClass", "top", "sambaDomain")
	sambaDomain.Set("sambaDomainName", strings.ToUpper(labels[0]))
	sambaDomain.Set("sambaSID", domainSID)
	entries = append(entries, sambaDomain)
	for _, d := range append([]string{domain}, strings.Fields(s.cfg.domain)...) {
		e := layout.Entry{DN: "cn=" + d + ",cn=domain,cn=mail," + base}
		e.Set("objectClass", "top", "univentionMailDomainname", "univentionObject")
		e.Set("univentionObjectType", "mail/domain")
		e.Set("cn", d)
		entries = append(entries, e)
	}
	return s.addAll(entries)
}

func (s *Server) addAll(entries []layout.Entry) error {
	for _, e := range entries {
		list := make([]given, len(e.Attrs))
		for i, a := range e.Attrs {
			list[i] = given{a.Name, a.Values}
		}
		if err := s.addEntry(e.DN, list); err != nil {
			return err
		}
	}
	return nil
}

// SeedSchools adds schools: the organisational unit, its containers, the
// groups of pupils, teachers and staff and "Domain Users OU".
func (s *Server) SeedSchools(schools ...schoolmail.SchoolID) error {
	for _, id := range schools {
		name := string(id)
		ou := "ou=" + name + "," + s.BaseDN
		entries := append([]layout.Entry{layout.OU(ou, name, name)}, layout.Defaults.Containers(ou)...)
		for _, g := range layout.Defaults.Groups(ou, name) {
			entries = append(entries, layout.Group(g.DN, g.Name, g.Role, "", s.nextGID(), domainSID))
		}
		if err := s.addAll(entries); err != nil {
			return err
		}
	}
	return nil
}

// nextGID takes a number from the counter.
func (s *Server) nextGID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, r := s.tree.find("cn=gidNumber,cn=temporary,cn=univention," + s.BaseDN)
	if r != nil {
		return 0
	}
	at := s.schema.attr("univentionLastUsedValue")
	n, _ := strconv.Atoi(e.get(at)[0])
	n++
	s.tree.modify(e, []change{{2, given{at.name, []string{strconv.Itoa(n)}}}}, s.BindDN)
	return n
}
