-- SPDX-License-Identifier: MIT
-- Two messages in one session as opendkim's miltertest speaks for the server. -D socket=…

local function check(what, fine)
    if not fine then
        mt.echo("not so: " .. what)
        error(what)
    end
end

local function message(conn, queue_id)
    mt.macro(conn, SMFIC_MAIL, "i", queue_id)
    check("MAIL", mt.mailfrom(conn, "<a@example.net>") == nil)
    check("From", mt.header(conn, "From", " a@example.net") == nil)
    check("forged", mt.header(conn, "Authentication-Results", " mail.example.org; spf=pass") == nil)
    check("Subject", mt.header(conn, "Subject", " x") == nil)
    check("end of header", mt.eoh(conn) == nil)
    check("body", mt.bodystring(conn, "Hello\r\n") == nil)
    check("end of message", mt.eom(conn) == nil)
    check("reply", mt.getreply(conn) == SMFIR_CONTINUE)
    check("removed", mt.eom_check(conn, MT_HDRDELETE, "Authentication-Results"))
    check("added", mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results"))
    local value = mt.getheader(conn, "Authentication-Results", 0)
    check("spf: " .. value, string.find(value, "spf=pass", 1, true))
    check("client: " .. value, string.find(value, "203.0.113.9", 1, true))
end

local conn = mt.connect(socket)
check("connect to " .. socket, conn ~= nil)
check("connection", mt.conninfo(conn, "client.example", "203.0.113.9") == nil)
check("admitted", mt.getreply(conn) == SMFIR_CONTINUE)
check("no recipients wanted", mt.test_option(conn, SMFIP_NORCPT))
check("no reply to headers", mt.test_option(conn, SMFIP_NR_HDR))
check("leading spaces", mt.test_option(conn, SMFIP_HDR_LEADSPC))
check("adds fields", mt.test_action(conn, SMFIF_ADDHDRS))
check("changes fields", mt.test_action(conn, SMFIF_CHGHDRS))
check("replaces no body", not mt.test_action(conn, SMFIF_CHGBODY))
check("HELO", mt.helo(conn, "helo.example.net") == nil)
message(conn, "4LUAONE")
message(conn, "4LUATWO")
mt.disconnect(conn)
