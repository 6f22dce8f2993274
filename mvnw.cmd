@echo off
rem Runs Maven, fetching the version named in .mvn\wrapper\maven-wrapper.properties on first use. Needs a JDK, nothing else.
setlocal
set "ROOT=%~dp0"
set "JAVA=java"
if defined JAVA_HOME set "JAVA=%JAVA_HOME%\bin\java"
"%JAVA%" -version >nul 2>&1 || (echo mvnw: no Java found. Install a JDK 17 or newer, or set JAVA_HOME. 1>&2 & exit /b 1)
if not defined MAVEN_USER_HOME set "MAVEN_USER_HOME=%USERPROFILE%\.m2"
for /f "usebackq delims=" %%i in (`call "%JAVA%" "%ROOT%.mvn\wrapper\Wrapper.java" "%ROOT%.mvn\wrapper\maven-wrapper.properties" "%MAVEN_USER_HOME%\wrapper\dists"`) do set "MAVEN=%%i"
if not defined MAVEN exit /b 1
call "%MAVEN%\bin\mvn.cmd" %*
