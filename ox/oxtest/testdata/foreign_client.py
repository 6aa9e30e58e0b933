# Talks to the simulator with a foreign SOAP stack: loads the WSDL of each
# service from the server, then creates, changes, lists and deletes users and
# meets typed faults. Prints one line per observation; the Go test compares them.
import base64, datetime, sys
import zeep
from lxml import etree
from zeep import xsd
from zeep.exceptions import Fault

base = sys.argv[1]
clients = {}
for name in ["OXContextService", "OXGroupService", "OXResourceService", "OXSecondaryAccountService", "OXTaskMgmtService",
             "OXUserCopyService", "OXUserService", "OXUtilService"]:
    c = clients[name] = zeep.Client(base + "/" + name + "?wsdl")
    port = next(iter(c.wsdl.services[name].ports.values()))
    print(name, len(port.binding._operations), port.binding_options["address"] == base + "/" + name)

master = {"login": "oxadminmaster", "password": "secret"}
admin = {"login": "oxadmin", "password": "secret"}
users = clients["OXUserService"].service
ctx = {"id": 77}

made = clients["OXContextService"].service.create(
    ctx={"id": 77, "name": "zeep", "maxQuota": -1},
    admin_user={"name": "oxadmin", "password": "secret", "display_name": "Admin", "given_name": "Ad", "sur_name": "Min",
                "primaryEmail": "oxadmin@zeep.example", "email1": "oxadmin@zeep.example"},
    auth=master)
print("context", made.id, made.name, made.enabled, sorted(made.loginMappings))

mia = users.createByModuleAccessName(
    ctx=ctx, access_combination_name="groupware_standard", auth=admin,
    usrdata={"name": "mia", "password": "geheim", "display_name": "Mia Lind", "given_name": "Mia", "sur_name": "Lind",
             "primaryEmail": "mia@zeep.example", "email1": "mia@zeep.example", "aliases": ["m.lind@zeep.example"],
             "department": "", "birthday": datetime.date(2010, 5, 4),
             "image1": base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="),
             "image1ContentType": "image/png"})
print("created", mia.id, mia.password, sorted(mia.aliases))



def shape(name):
    """How a field looks in the answer itself: zeep shows empty and nil alike as None."""
    with clients["OXUserService"].settings(raw_response=True):
        raw = users.getData(ctx=ctx, user={"name": "mia"}, auth=admin)
    l = list(etree.fromstring(raw.content).iter("{http://dataobjects.soap.admin.openexchange.com/xsd}" + name))
    if not l:
        return "absent"
    if l[0].get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true":
        return "nil"
    return "empty" if not l[0].text else repr(l[0].text)


u = users.getData(ctx=ctx, user={"name": "mia"}, auth=admin)
print("read", u.id, shape("department"), shape("note"), shape("password"), shape("entries"), shape("members"), u.contextadmin, u.imapPort, u.birthday, len(u.image1), u.maxQuota)
users.change(ctx=ctx, usrdata={"id": mia.id, "department": xsd.SkipValue, "note": "x", "given_name": ""}, auth=admin)
users.change(ctx=ctx, usrdata={"id": mia.id, "note": xsd.Nil}, auth=admin)
u = users.getData(ctx=ctx, user={"id": mia.id}, auth=admin)
print("changed", shape("department"), shape("note"), shape("given_name"), u.sur_name)
print("list", [(x.id, x.name) for x in users.listAll(ctx=ctx, auth=admin)])
print("exists", users.exists(ctx=ctx, user={"name": "mia"}, auth=admin), users.exists(ctx=ctx, user={"name": "Mia"}, auth=admin))
access = users.getModuleAccess(ctx=ctx, user={"id": mia.id}, auth=admin)
print("access", access.calendar, access.globalAddressBookDisabled)


def fault(what, call):
    try:
        call()
        print(what, "no fault")
    except Fault as f:
        detail = None
        if f.detail is not None:
            element = f.detail[0]
            detail = element.tag.rpartition("}")[2]
            declared = clients["OXUserService"].get_element("{http://soap.admin.openexchange.com}" + detail)
            parsed = declared.parse(element, clients["OXUserService"].wsdl.types)
            detail += "/" + ",".join(sorted(k for k in dir(parsed) if not k.startswith("_")))
        print(what, f.code, f.message.partition(";")[0], detail)


fault("again", lambda: users.create(ctx=ctx, auth=admin, usrdata={
    "name": "mia", "password": "x", "display_name": "Other", "given_name": "O", "sur_name": "T", "primaryEmail": "o@zeep.example", "email1": "o@zeep.example"}))
fault("nobody", lambda: users.delete(ctx=ctx, user={"id": 99}, auth=admin))
fault("password", lambda: users.listAll(ctx=ctx, auth={"login": "oxadmin", "password": "wrong"}))
users.delete(ctx=ctx, user={"id": mia.id}, auth=admin)
print("left", [x.id for x in users.listAll(ctx=ctx, auth=admin)])
