/** Before each test file: what commands print is judged without colours, which a build server's environment asks for. */
process.env['NO_COLOR'] = '1';
delete process.env['FORCE_COLOR'];
